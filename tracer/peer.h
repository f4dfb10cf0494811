/* A program that is started to be talked to: with pipes, in a process group of its own, and ended for sure, with all
 * that it started.
 *
 * Nothing here blocks longer than the caller says, whatever the program does; and it is watched all the while whether
 * the user wants to stop. */
#ifndef GLIBCTRACE_TRACER_PEER_H
#define GLIBCTRACE_TRACER_PEER_H

#include <probes/err.h>
#include <reports/text.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct progress;

/* What holds for all peers of one command. */
struct peer_host {
    int stop;    /* signalfd(2) of the signals by which a user ends a program */
    int stopped; /* the one that came, 0: none */
    struct progress *progress;
};
/* The signals that end a program are held back from here on: peers are ended first. As the "subreaper" of prctl(2) this
 * process gets whatever the peers leave behind. PROGRESS: its line is kept up while peers are waited for. */
int peer_host_open(struct progress *progress, struct peer_host *ret, struct err *err);
/* Ends what is left of any peer, and lets a signal that came do its work. */
void peer_host_close(struct peer_host *host);

enum peer_news {
    PEER_DATA,    /* there is more in .out or .said, or .from has been closed */
    PEER_ENDED,   /* it has ended, and all that it wrote has been read; .status is set */
    PEER_LATE,    /* the deadline went by */
    PEER_STOPPED, /* the user wants to stop */
};

struct peer {
    struct peer_host *host;
    pid_t pid;
    bool tracer; /* PID is glibctrace, which has to outlive the program that it follows */
    bool ended;
    bool socket;          /* IN and FROM are one */
    int status;           /* its wait status, once ENDED */
    int in, from, errors; /* our ends, or -1; FROM may be a socket, and IN the same one */
    int output;           /* its standard output, while FROM is a socket; or -1 */
    int pidfd;            /* or -1 */
    struct text out;      /* what it wrote to its standard output, or over the socket; the reader takes it */
    struct text said;     /* the end of what it wrote to its standard error */
    struct text unsent;
    size_t sent; /* bytes of it */
};

struct peer_start {
    const char *file; /* that is executed, without a look at PATH */
    char *const *argv;
    const char *directory; /* to run in */
    char *const *env;
    bool quiet_input; /* its standard input is empty */
};
/* Free with peer_end(). Below zero, with ERR, only where no process can be made. */
int peer_start(struct peer_host *host, const struct peer_start *start, struct peer *ret, struct err *err);
/* Queues TEXT; peer_wait() sends it. What a peer does not take is no error here: it shows by its silence. */
void peer_send(struct peer *peer, const char *text, size_t n);
/* Waits for news, until DEADLINE_NS of peer_now(). */
enum peer_news peer_wait(struct peer *peer, uint64_t deadline_ns);
/* Talk with it goes over the TCP port that it opened, "127.0.0.1:4711", from now on. */
int peer_connect(struct peer *peer, const char *address, struct err *err);
/* Its standard input ends, it gets GRACE_MS to end by itself, then signals. A tracer gets REPORT_MS more to write the
 * file REPORT (else NULL): it may stay behind what it follows. All that is left of them is killed. */
void peer_end(struct peer *peer, unsigned grace_ms, unsigned report_ms, const char *report);
/* CLOCK_MONOTONIC. */
uint64_t peer_now(void);
uint64_t peer_after(unsigned ms);

#endif
