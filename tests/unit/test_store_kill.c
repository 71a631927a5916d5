/* kill -9 at every system call of a flush: a child writes samples, flushes them, deletes some, merges blocks, and dies at its n-th call that
 * changes the disk, for every n there is. Whatever was synced before is there afterwards, once and with its value, and no file is damaged. */
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store_world.h"

enum { SERIES = 3, FIRST = 300, SECOND = 500, DELETED = 100, HOUR_S = 3600, CALLS_MAX = 2000 };

/* What the child has done, for the parent to see. */
struct progress {
	int synced;   /* seconds whose samples are on disk for good */
	int deleting; /* 1: of series 0 what is before DELETED may be gone; 2: it is */
};

static struct progress *progress;
static _Atomic int left; /* calls until the end; 0: nobody dies */

/* ---- The calls. The program's own names win over the library's. ---- */

static void step(void)
{
	if (atomic_load(&left) > 0 && atomic_fetch_sub(&left, 1) == 1)
		kill(getpid(), SIGKILL);
}

#define CALL(type, name, params, ...) \
	type name params \
	{ \
		step(); \
		return (type)syscall(__VA_ARGS__); \
	}
CALL(int, fsync, (int fd), SYS_fsync, fd)
CALL(int, fdatasync, (int fd), SYS_fdatasync, fd)
CALL(int, ftruncate, (int fd, off_t n), SYS_ftruncate, fd, n)
CALL(int, rename, (const char *from, const char *to), SYS_rename, from, to)
CALL(int, renameat2, (int a, const char *from, int b, const char *to, unsigned flags), SYS_renameat2, a, from, b, to, flags)
CALL(int, unlink, (const char *path), SYS_unlink, path)
CALL(int, link, (const char *from, const char *to), SYS_link, from, to)
CALL(ssize_t, pwrite, (int fd, const void *p, size_t n, off_t at), SYS_pwrite64, fd, p, n, at)
CALL(ssize_t, write, (int fd, const void *p, size_t n), SYS_write, fd, p, n)

/* ---- The child ---- */

static void open_at(struct fixture *f, const char *dir, int now_s)
{
	static struct clock clock;
	struct store_options o = { .clock = &clock };
	struct err e = { 0 };

	clock = clock_manual(MS(now_s));
	*f = (struct fixture){ .store = store_new(&o) };
	if (!store_open_history(f->store, dir, &e) || !store_open_journal(f->store, dir, &e))
		fail_msg("%s", e.msg);
	f->app = store_appender_new(f->store);
	f->q = store_querier(f->store);
}

static void append_until(struct fixture *f, int second)
{
	for (int i = progress->synced; i < second; i++)
		for (int s = 0; s < SERIES; s++) {
			char labels[16];

			snprintf(labels, sizeof labels, "m s=%d", s);
			put(f, labels, MS(i), i * 10 + s);
		}
	commit(f);
	arena_reset(&f->arena);
	store_sync(f->store);
	progress->synced = second;
}

static void live_and_die(const char *dir, int calls)
{
	const struct matcher first = { MATCH_EQ, STR("s"), STR("0"), NULL };
	struct fixture f;
	struct err e = { 0 };

	open_at(&f, dir, 0);
	append_until(&f, FIRST);
	atomic_store(&left, calls);
	if (!store_flush(f.store, &e))
		_exit(2);
	append_until(&f, SECOND);
	if (!store_flush(f.store, &e))
		_exit(3);
	progress->deleting = 1;
	if (!store_delete(f.store, &first, 1, MS(0), MS(DELETED - 1), &e))
		_exit(4);
	progress->deleting = 2;
	atomic_store(&left, 0);
	_exit(0);
}

/* ---- The parent ---- */

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

static int is_damaged(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return str_ends(str_of(path), STR(".damaged"));
}

static void check_series(struct fixture *f, int s, int calls)
{
	char matchers[16];
	struct selection *sel;
	struct samples got;
	size_t at = 0;

	snprintf(matchers, sizeof matchers, "s = %d", s);
	sel = pick(f, matchers);
	assert_int_equal(sel->n, 1);
	got = read_all(f, sel, 0);
	for (int i = 0; i < progress->synced; i++) {
		bool there = at < got.n && got.t_ms[at] == MS(i), deleted = s == 0 && i < DELETED && progress->deleting > 0;

		if ((!there && !deleted) || (there && got.v[at] != i * 10 + s) || (there && deleted && progress->deleting == 2))
			fail_msg("call %d, series %d, second %d: %s", calls, s, i, there ? "wrong" : "missing");
		at += there;
	}
	for (; at < got.n; at++)
		if (got.v[at] != (double)(got.t_ms[at] / 1000 - T0) * 10 + s)
			fail_msg("call %d, series %d: a sample nobody wrote", calls, s);
	drop(f, sel);
}

static void check_all(const char *dir, int calls)
{
	struct fixture f;

	open_at(&f, dir, 3 * HOUR_S);
	for (int round = 0; round < 2; round++) {
		for (int s = 0; s < SERIES; s++)
			check_series(&f, s, calls);
		store_maintain(f.store); /* merges what is there */
	}
	if (store_stats(f.store).blocks_damaged != 0 || store_stats(f.store).journal_damaged != 0 || nftw(dir, is_damaged, 8, FTW_PHYS) != 0)
		fail_msg("call %d: something is damaged", calls);
	teardown(&f);
}

static void test_every_call(void **state)
{
	int status = 0, calls = 1;

	(void)state;
	progress = mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(progress != MAP_FAILED);
	for (; calls < CALLS_MAX && !(WIFEXITED(status) && calls > 1); calls++) {
		char dir[32];
		pid_t child;

		snprintf(dir, sizeof dir, "%s/test-kill-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"); /* nobody waits for a disk */
		assert_non_null(mkdtemp(dir));
		*progress = (struct progress){ 0 };
		child = fork();
		assert_true(child >= 0);
		if (child == 0)
			live_and_die(dir, calls);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) || (WIFEXITED(status) && WEXITSTATUS(status) == 0));
		check_all(dir, calls);
		assert_int_equal(nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
	}
	assert_in_range(calls, 20, CALLS_MAX - 1);
	munmap(progress, sizeof *progress);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_call),
	};

	return cmocka_run_group_tests(tests, NULL, no_piece_is_left);
}
