/* SPDX-License-Identifier: MIT */
/* Arbitrary requests of a privileged client and of a domain, on both of which there is a watch.
 * Input: records of a byte (who, and whether in the last transaction), type, length, payload. */
#include "tests/unit/tools/stored_kit.h"

static uint32_t last_tx[2];

static void request(struct conn *c, unsigned int who, bool in_tx, uint32_t type,
                    const uint8_t *data, size_t len)
{
    struct xsd_sockmsg h = {.type = type, .tx_id = in_tx ? last_tx[who] : 0, .len = len}, got;
    uint8_t *copy = malloc(len ? len : 1);
    bool answered = false;
    char *answer;

    memcpy(copy, data, len);
    proto_request(c, &h, copy);
    free(copy);
    while ((answer = kit_pop(c, &got, false))) {
        if (got.len > XENSTORE_PAYLOAD_MAX)
            abort();
        if (got.type == XS_TRANSACTION_START)
            last_tx[who] = strtoul(answer, NULL, 10);
        answered |= got.type != XS_WATCH_EVENT;
        free(answer);
    }
    if (!answered)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct conn *conn[2];

    kit_start();
    for (unsigned int i = 0; i < 2; i++) {
        conn[i] = kit_conn(i);
        kit_say(conn[i], 0, XS_WATCH, "/|t|");
        last_tx[i] = 0;
    }
    kit_say(conn[0], 0, XS_MKDIR, "/local/domain/1|");
    kit_say(conn[0], 0, XS_SET_PERMS, "/local/domain/1|n1|");
    while (size >= 3) {
        size_t len = data[2];

        len = len > size - 3 ? size - 3 : len;
        request(conn[data[0] & 1], data[0] & 1, data[0] & 2, data[1], data + 3, len);
        data += 3 + len;
        size -= 3 + len;
    }
    if (store_check() || store_owned(1) > quota.nodes + 300)
        abort();
    return 0;
}
