/* Files without a name, and whole reads and writes. */
#include "store/block_scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

bool scratch_cannot(struct err *e, const char *what, const char *path)
{
	return err_set(e, ERR_IO, -1, "cannot %s %s: %s", what, path, strerror(errno));
}

bool scratch_write_at(int fd, const char *path, const char *p, size_t n, uint64_t at, struct err *e)
{
	while (n > 0) {
		ssize_t done = pwrite(fd, p, n, (off_t)at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return scratch_cannot(e, "write", path);
		p += done, n -= (size_t)done, at += (uint64_t)done;
	}
	return true;
}

bool scratch_read_at(int fd, const char *path, void *to, size_t n, uint64_t at, struct err *e)
{
	for (size_t done = 0; done < n;) {
		ssize_t got = pread(fd, (char *)to + done, n - done, (off_t)(at + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return scratch_cannot(e, "read back", path);
		done += (size_t)got;
	}
	return true;
}

static bool open_beside(struct scratch *s, const char *path, struct err *e)
{
	struct buf name = { 0 };

	buf_printf(&name, "%s-scratch.tmp", path);
	s->fd = open(buf_z(&name), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (s->fd < 0)
		scratch_cannot(e, "make", name.p);
	else
		unlink(name.p);
	buf_fini(&name);
	return s->fd >= 0;
}

bool scratch_spill(struct scratch *s, const char *path, struct err *e)
{
	bool ok = (s->fd >= 0 || open_beside(s, path, e)) && scratch_write_at(s->fd, path, s->out.p, s->out.n, s->written, e);

	s->written += s->out.n;
	buf_reset(&s->out);
	return ok;
}

bool scratch_put(struct scratch *s, const char *path, const void *p, size_t n, struct err *e)
{
	buf_put(&s->out, p, n);
	return s->out.n < SPILL_BYTES || scratch_spill(s, path, e);
}

void scratch_fini(struct scratch *s)
{
	if (s->fd >= 0)
		close(s->fd);
	buf_fini(&s->out);
}
