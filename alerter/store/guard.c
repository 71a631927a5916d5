/* Mapped files may be cut short by somebody else; reading what is no longer there is a SIGBUS. Here it becomes zeros and a mark on the
 * block, so that the reader goes on, sees the mark and fails, and the block is set aside. Invariant: a slot is empty, or its range is
 * mapped and its mark alive. */
#include "store/guard.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

enum { GUARD_SLOTS = 8192 }; /* beyond, files are not guarded */

struct slot {
	_Atomic uintptr_t beg, end; /* end 0: empty */
	_Atomic bool *mark;
};

static struct {
	pthread_mutex_t lock; /* to change it; the handler only reads */
	_Atomic size_t used;
	struct slot v[GUARD_SLOTS];
} guard = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* What is behind the place is lost as well. Another process's fault, or ours elsewhere, takes its usual way. */
static void on_bus_error(int number, siginfo_t *info, void *context)
{
	uintptr_t at = (uintptr_t)info->si_addr, page = at & ~(uintptr_t)(sysconf(_SC_PAGESIZE) - 1);

	(void)context;
	for (size_t i = 0; i < atomic_load(&guard.used); i++) {
		uintptr_t end = atomic_load(&guard.v[i].end);

		if (at < atomic_load(&guard.v[i].beg) || at >= end)
			continue;
		if (mmap((void *)page, end - page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
			break;
		atomic_store(guard.v[i].mark, true);
		return;
	}
	signal(number, SIG_DFL);
}

static void install(void)
{
	struct sigaction action = { .sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO };

	sigemptyset(&action.sa_mask);
	sigaction(SIGBUS, &action, NULL);
}

void guard_add(const void *p, size_t n, _Atomic bool *mark)
{
	size_t i;

	pthread_mutex_lock(&guard.lock);
	install(); /* each time: somebody else may have taken the signal since */
	for (i = 0; i < guard.used && guard.v[i].end != 0;)
		i++;
	if (i < GUARD_SLOTS) {
		guard.v[i].mark = mark;
		atomic_store(&guard.v[i].beg, (uintptr_t)p);
		atomic_store(&guard.v[i].end, (uintptr_t)p + n);
		if (i == guard.used)
			atomic_store(&guard.used, i + 1);
	}
	pthread_mutex_unlock(&guard.lock);
}

void guard_remove(const void *p)
{
	pthread_mutex_lock(&guard.lock);
	for (size_t i = 0; i < guard.used; i++)
		if (guard.v[i].end != 0 && guard.v[i].beg == (uintptr_t)p)
			atomic_store(&guard.v[i].end, 0);
	pthread_mutex_unlock(&guard.lock);
}
