// SPDX-License-Identifier: MIT
/* The kernel's packet filter, by libnftables. */
#include "nft.h"

#include <errno.h>
#include <nftables/libnftables.h>
#include <string.h>

int nft_run(const char *commands, struct error *err)
{
    struct nft_ctx *ctx = nft_ctx_new(NFT_CTX_DEFAULT);
    const char *said;
    int rc = 0;

    if (!ctx)
        return error_set(err, -ENOMEM, "nftables: out of memory");
    nft_ctx_buffer_error(ctx);
    if (nft_run_cmd_from_buffer(ctx, commands)) {
        said = nft_ctx_get_error_buffer(ctx);
        rc = error_set(err, -EIO, "nftables: %.*s", (int)strcspn(said ? said : "", "\n"),
                       said ? said : "");
    }
    nft_ctx_free(ctx);
    return rc;
}
