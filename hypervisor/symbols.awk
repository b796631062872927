# SPDX-License-Identifier: MIT
# From `nm -n` to the table that symbols.c reads: the offsets (32 bits) of all functions in the image,
# ascending, and their names in the same order, each with a terminating zero.
BEGIN {
    n = 0
}

$2 ~ /^[Tt]$/ && $3 !~ /^\.L/ && $1 != last {
    last = $1
    addr[n] = $1
    name[n++] = $3
}

END {
    print ".section .symbols, \"a\""
    print ".globl symbol_count, symbol_offsets, symbol_names"
    print ".hidden symbol_count, symbol_offsets, symbol_names"
    print ".balign 4"
    print "symbol_count: .long " n + 0
    print "symbol_offsets:"
    for (i = 0; i < n; i++)
        print ".long 0x" substr(addr[i], 9)
    print "symbol_names:"
    for (i = 0; i < n; i++)
        print ".asciz \"" name[i] "\""
    print ".section .note.GNU-stack, \"\", @progbits"
}
