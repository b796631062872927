/* SPDX-License-Identifier: MIT */
/* A guest that does with the page of its console what it likes, under a daemon that reads and writes it,
 * beside a guest that is well-behaved and must not notice. Input: a byte that says what happens, and what
 * that needs. */
#include "tests/unit/tools/consoled_kit.h"

#include <unistd.h>

enum { BAD = 1, GOOD = 2 };

static const uint8_t *in;
static size_t left;

static uint32_t take(size_t bytes)
{
    uint32_t value = 0;

    if (bytes > left)
        bytes = left;
    memcpy(&value, in, bytes);
    in += bytes;
    left -= bytes;
    return value;
}

static void start(void)
{
    kit_start();
    console_settings.ptys = false;
    for (domid_t id = BAD; id <= GOOD; id++) {
        struct console_spec s = kit_spec(id);

        console_found(&s, kit_now);
    }
}

static void step(int reader)
{
    struct xencons_interface *p = &fake_guests[BAD].page;
    char buf[CONSOLE_INPUT_MAX];

    switch (take(1) % 10) {
    case 0:
        p->out_prod = take(4);
        break;
    case 1:
        p->out_cons = take(4);
        break;
    case 2:
        p->in_prod = take(4);
        break;
    case 3:
        p->in_cons = take(4);
        break;
    case 4:
        p->out_prod += take(2) % 4096;
        break;
    case 5:
        memset(p->out, take(1), sizeof(p->out));
        break;
    case 6:
        console_event(fake_port(BAD), kit_now);
        break;
    case 7:
        memset(buf, 'i', sizeof(buf));
        send(reader, buf, 1 + take(2) % sizeof(buf), MSG_DONTWAIT | MSG_NOSIGNAL);
        break;
    case 8:
        kit_now += take(1) * (int64_t)EVENT_COST;
        break;
    default:
        kit_turn();
        while (recv(reader, &(struct console_message){0}, sizeof(struct console_message),
                    MSG_DONTWAIT) > 0)
            ;
        break;
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    return atexit(kit_remove_dir);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char text[] = "not noticed";
    size_t len;
    char *log;
    int reader;

    in = data;
    left = size;
    start();
    reader = kit_connect("1", 0);
    kit_turn();
    for (unsigned int i = 0; i < 200 && left; i++)
        step(reader);
    if (fake_guests[BAD].mapped > 1 || fake_guests[BAD].bound != fake_guests[BAD].mapped)
        abort();
    kit_write(GOOD, text, strlen(text));
    console_event(fake_port(GOOD), kit_now);
    log = kit_read(kit_path("guest2.log"), &len);
    if (strcmp(log, text) != 0)
        abort();
    free(log);
    close(reader);
    console_close_all();
    return 0;
}
