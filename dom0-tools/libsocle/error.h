/* SPDX-License-Identifier: MIT */
/* What went wrong, as one line for a person. A function of the library that can fail returns 0 or
 * a negative errno and leaves the line with its caller, who knows whom to tell. */
#ifndef LIBSOCLE_ERROR_H
#define LIBSOCLE_ERROR_H

struct error {
    char text[256]; /* without a newline, without the name of the program */
};

/** error_set - note what went wrong
 * @err  may be NULL
 * @rc   negative errno, handed back so that a caller can write `return error_set(...)`
 * Texts that are too long are cut; control characters (of file names, say) become '?'. */
int error_set(struct error *err, int rc, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
