/* Asks two servers for the same pages in turn over one kept connection each, and prints the median time of each:
 *     client OUR_PORT THEIR_PORT FIRST_S LAST_S ROUNDS < PATHS
 * "TIME" in a path is another moment between FIRST_S and LAST_S each round, the same for both; who is first changes. A line of the
 * output is our median and theirs, in nanoseconds. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS_MAX = 10000, HEAD_MAX = 1 << 16, WARM_UP = 5 };

struct peer {
	int fd;
	char *reply;
	size_t n, cap;
	int64_t took_ns[ROUNDS_MAX];
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int dial(const char *port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };
	struct timeval patience = { .tv_sec = 60 };
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
		die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	return fd;
}

/* More of the reply, with a zero behind it. */
static void receive(struct peer *p)
{
	ssize_t n;

	if (p->cap - p->n < HEAD_MAX) {
		p->cap = 2 * p->cap + 2 * HEAD_MAX;
		p->reply = realloc(p->reply, p->cap);
		if (p->reply == NULL)
			die("realloc");
	}
	n = recv(p->fd, p->reply + p->n, p->cap - p->n - 1, 0);
	if (n <= 0)
		die("recv");
	p->n += (size_t)n;
	p->reply[p->n] = '\0';
}

/* A reply without a length comes in chunks; no reply holds an empty line, so the last chunk is found by its text. */
static bool is_whole(const struct peer *p, size_t head, long length)
{
	if (length >= 0)
		return p->n >= head + (size_t)length;
	return p->n >= 7 && memcmp(p->reply + p->n - 7, "\r\n0\r\n\r\n", 7) == 0;
}

static void read_reply(struct peer *p)
{
	const char *end, *length;
	size_t head;

	p->n = 0;
	do
		receive(p);
	while ((end = strstr(p->reply, "\r\n\r\n")) == NULL);
	head = (size_t)(end - p->reply) + 4;
	length = strcasestr(p->reply, "\r\nContent-Length:");
	for (long n = length != NULL && length < end ? atol(length + 17) : -1; !is_whole(p, head, n);)
		receive(p);
	if (strncmp(p->reply, "HTTP/1.1 200", 12) != 0) {
		fprintf(stderr, "%.400s\n", p->reply);
		exit(1);
	}
}

static int64_t ask(struct peer *p, const char *path, long t_s)
{
	const char *mark = strstr(path, "TIME");
	char text[HEAD_MAX], moment[24] = "";
	int before = mark != NULL ? (int)(mark - path) : (int)strlen(path), n;
	int64_t begun;

	if (mark != NULL)
		snprintf(moment, sizeof moment, "%ld", t_s);
	n = snprintf(text, sizeof text, "GET %.*s%s%s HTTP/1.1\r\nHost: localhost\r\n\r\n", before, path, moment,
	             mark != NULL ? mark + 4 : "");
	begun = now_ns();
	if (send(p->fd, text, (size_t)n, MSG_NOSIGNAL) != n)
		die("send");
	read_reply(p);
	return now_ns() - begun;
}

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static int64_t median(struct peer *p, int n)
{
	qsort(p->took_ns, (size_t)n, sizeof *p->took_ns, by_size);
	return p->took_ns[n / 2];
}

int main(int argc, char **argv)
{
	static struct peer ours, theirs;
	char path[4096];
	long first, last;
	int rounds;

	if (argc != 6 || (rounds = atoi(argv[5])) <= 0 || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: client OUR_PORT THEIR_PORT FIRST_S LAST_S ROUNDS < PATHS\n");
		return 2;
	}
	ours.fd = dial(argv[1]);
	theirs.fd = dial(argv[2]);
	first = atol(argv[3]);
	last = atol(argv[4]);
	while (fgets(path, sizeof path, stdin) != NULL) {
		path[strcspn(path, "\n")] = '\0';
		for (int i = -WARM_UP; i < rounds; i++) {
			struct peer *one = i & 1 ? &ours : &theirs, *other = i & 1 ? &theirs : &ours;
			long t_s = first + (i + WARM_UP) * 37L % (last - first + 1);
			int64_t one_ns = ask(one, path, t_s), other_ns = ask(other, path, t_s);

			if (i < 0)
				continue;
			one->took_ns[i] = one_ns;
			other->took_ns[i] = other_ns;
		}
		printf("%lld %lld\n", (long long)median(&ours, rounds), (long long)median(&theirs, rounds));
		fflush(stdout);
	}
	return 0;
}
