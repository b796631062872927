/* SPDX-License-Identifier: MIT */
/* socle top on a terminal. */
#include "top.h"

#include "commands.h"

#include <curses.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SUMMARY_LINES 3

static void draw(const struct look *l, const struct look *before, const struct top_shape *shape)
{
    struct bytes text = {0};
    int row = 0;

    top_summary(&text, l, shape);
    top_table(&text, l, before, shape);
    erase();
    for (size_t at = 0; at < text.len && row < LINES; row++) {
        const uint8_t *line = text.data + at, *end = memchr(line, '\n', text.len - at);
        int len = end - line; /* each line has its end */

        if (row == SUMMARY_LINES)
            attron(A_REVERSE);
        mvaddnstr(row, 0, (const char *)line, len < COLS ? len : COLS);
        attroff(A_REVERSE);
        at += len + 1;
    }
    refresh();
    bytes_free(&text);
}

/* Returns false when it is enough. */
static bool obey(int key, struct top_shape *shape)
{
    switch (key) {
    case 'q':
    case 'Q':
        return false;
    case 's':
        shape->order = (shape->order + 1) % TOP_ORDERS;
        break;
    case 'n':
        shape->networks = !shape->networks;
        break;
    case 'x':
        shape->disks = !shape->disks;
        break;
    case 'v':
        shape->vcpus = !shape->vcpus;
        break;
    case 'f':
        shape->full_names = !shape->full_names;
        break;
    }
    return true;
}

static int run(struct top_shape *shape, unsigned int delay_ms, unsigned int iterations)
{
    struct look now = {0}, before = {0};
    bool more = true;
    int rc = 0;

    for (unsigned int i = 0; more && (!iterations || i < iterations); i++) {
        int key;

        look_free(&before);
        before = now;
        rc = look_take(&now);
        if (rc)
            break;
        do { /* a key is obeyed at once */
            draw(&now, &before, shape);
            timeout(delay_ms);
            key = getch();
            more = obey(key, shape);
        } while (more && key != ERR);
    }
    look_free(&before);
    look_free(&now);
    return rc;
}

int top_screen(struct top_shape *shape, unsigned int delay_ms, unsigned int iterations)
{
    const char *term = getenv("TERM");
    SCREEN *screen;
    int rc;

    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return refuse("this is no terminal; --batch needs none");
    screen = newterm(NULL, stdout, stdin);
    if (!screen)
        return refuse("terminals of the kind %s are unknown here; --batch needs none",
                      term ? term : "(none)");
    cbreak();
    noecho();
    curs_set(0);
    rc = run(shape, delay_ms, iterations);
    endwin();
    delscreen(screen);
    return rc ? refuse("top: the last look failed") : EXIT_OK;
}
