/* SPDX-License-Identifier: MIT */
/* Arbitrary bytes as a kernel image: the bzImage around it, and each decompressor. */
#include "dom0-tools/libsocle/image.h"
#include "dom0-tools/libsocle/unpack.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err = {""};
    struct bytes out = {0};
    struct image image;
    int rc = image_parse(data, size, &image, &err);

    if ((rc != 0) != (err.text[0] != 0))
        abort();
    if (rc)
        return 0;
    if (image.offset > size || image.size > size - image.offset)
        abort();
    rc = unpack(image.format, data + image.offset, image.size, 1 << 20, &out, &err);
    if (rc ? out.data || !err.text[0] : out.len > 1 << 20 || err.text[0])
        abort();
    bytes_free(&out);
    return 0;
}
