// SPDX-License-Identifier: MIT
// A request to the store daemon that its packaged clients do not have: request TYPE STRING...
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct sockaddr_un addr = {AF_UNIX, "/run/xenstored/socket"};
    uint32_t h[4] = {argc > 1 ? atoi(argv[1]) : 0};
    char payload[4097] = "";
    int s = socket(AF_UNIX, SOCK_STREAM, 0);

    for (int i = 2; i < argc && h[3] + strlen(argv[i]) < 4096; i++) {
        strcpy(payload + h[3], argv[i]);
        h[3] += strlen(argv[i]) + 1;
    }
    if (connect(s, (struct sockaddr *)&addr, sizeof(addr)) || write(s, h, sizeof(h)) < 0 ||
        write(s, payload, h[3]) < 0)
        return 2;
    memset(payload, 0, sizeof(payload));
    if (recv(s, h, sizeof(h), MSG_WAITALL) != sizeof(h) || h[3] > 4096 ||
        recv(s, payload, h[3], MSG_WAITALL) != (ssize_t)h[3])
        return 2;
    puts(payload);
    return h[0] == 16; // an error
}
