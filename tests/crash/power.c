/* What a power cut does to SQLite, for a program that is killed: preloaded, it is the default VFS, and writes reach the file when they
 * are synced and not before; kill -9 takes the rest along. One write in three also goes out at once, as a kernel may write any page
 * back whenever it likes, in any order. A clean close writes everything, as the kernel does for a program that ends.
 * POWER_LIES set: a disk that says it has synced and has not, to show that the test sees losses. */
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct change {                         /* not yet synced */
	struct change *next;
	sqlite3_int64 at;
	int n;                          /* -1: cut the file at <at> */
	char bytes[];
};

struct file {
	sqlite3_file base;              /* first */
	struct change *first, **last;
	sqlite3_int64 size;             /* as the program sees it */
	sqlite3_file *real;             /* behind this struct */
};

static sqlite3_vfs *below, power;
static unsigned long long seed;

static unsigned random_below(unsigned n)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned)(seed >> 33) % n;
}

static int apply(struct file *f)
{
	int rc = SQLITE_OK;

	for (struct change *c = f->first, *next; c != NULL; c = next) {
		next = c->next;
		if (rc == SQLITE_OK)
			rc = c->n < 0 ? f->real->pMethods->xTruncate(f->real, c->at)
				      : f->real->pMethods->xWrite(f->real, c->bytes, c->n, c->at);
		free(c);
	}
	f->first = NULL;
	f->last = &f->first;
	return rc;
}

static int file_close(sqlite3_file *file)
{
	struct file *f = (struct file *)file;
	int rc = apply(f), closed = f->real->pMethods->xClose(f->real);

	return rc != SQLITE_OK ? rc : closed;
}

static int file_read(sqlite3_file *file, void *to, int n, sqlite3_int64 at)
{
	struct file *f = (struct file *)file;
	int rc = f->real->pMethods->xRead(f->real, to, n, at);

	if (rc != SQLITE_OK && rc != SQLITE_IOERR_SHORT_READ)
		return rc;
	for (const struct change *c = f->first; c != NULL; c = c->next) {
		sqlite3_int64 begin = c->at > at ? c->at : at, end = c->n < 0 ? at + n : c->at + c->n;

		if (end > at + n)
			end = at + n;
		if (begin >= end)
			continue;
		if (c->n < 0)
			memset((char *)to + (begin - at), 0, (size_t)(end - begin));
		else
			memcpy((char *)to + (begin - at), c->bytes + (begin - c->at), (size_t)(end - begin));
	}
	return at + n > f->size ? SQLITE_IOERR_SHORT_READ : SQLITE_OK;
}

static int add_change(struct file *f, const void *from, int n, sqlite3_int64 at)
{
	struct change *c = malloc(sizeof *c + (n > 0 ? (size_t)n : 0));

	if (c == NULL)
		return SQLITE_IOERR_NOMEM;
	*c = (struct change){ .at = at, .n = n };
	if (n > 0)
		memcpy(c->bytes, from, (size_t)n);
	*f->last = c;
	f->last = &c->next;
	return SQLITE_OK;
}

static int file_write(sqlite3_file *file, const void *from, int n, sqlite3_int64 at)
{
	struct file *f = (struct file *)file;

	if (at + n > f->size)
		f->size = at + n;
	if (random_below(3) == 0)
		f->real->pMethods->xWrite(f->real, from, n, at);
	return add_change(f, from, n, at);
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	struct file *f = (struct file *)file;

	f->size = size;
	return add_change(f, NULL, -1, size);
}

static int file_sync(sqlite3_file *file, int flags)
{
	struct file *f = (struct file *)file;
	int rc = getenv("POWER_LIES") != NULL ? SQLITE_OK : apply(f);

	return rc != SQLITE_OK ? rc : f->real->pMethods->xSync(f->real, flags);
}

static int file_size(sqlite3_file *file, sqlite3_int64 *size)
{
	*size = ((struct file *)file)->size;
	return SQLITE_OK;
}

#define REAL(f_) (((struct file *)(f_))->real)
#define PASS(name, parameters, ...)                                                                                                \
	static int file_##name parameters { return REAL(f)->pMethods->x##name(REAL(f) __VA_OPT__(, ) __VA_ARGS__); }
PASS(Lock, (sqlite3_file *f, int level), level)
PASS(Unlock, (sqlite3_file *f, int level), level)
PASS(CheckReservedLock, (sqlite3_file *f, int *out), out)
PASS(FileControl, (sqlite3_file *f, int op, void *arg), op, arg)
PASS(SectorSize, (sqlite3_file *f))
PASS(DeviceCharacteristics, (sqlite3_file *f))
PASS(ShmMap, (sqlite3_file *f, int region, int size, int extend, void volatile **p), region, size, extend, p)
PASS(ShmLock, (sqlite3_file *f, int offset, int n, int flags), offset, n, flags)
PASS(ShmUnmap, (sqlite3_file *f, int delete), delete)

static void file_ShmBarrier(sqlite3_file *f)
{
	REAL(f)->pMethods->xShmBarrier(REAL(f));
}

static const sqlite3_io_methods methods = {
	2, file_close, file_read, file_write, file_truncate, file_sync, file_size, file_Lock, file_Unlock, file_CheckReservedLock,
	file_FileControl, file_SectorSize, file_DeviceCharacteristics, file_ShmMap, file_ShmLock, file_ShmBarrier, file_ShmUnmap,
	NULL, NULL,
};

static int power_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *out_flags)
{
	struct file *f = (struct file *)file;
	int rc;

	(void)vfs;
	memset(f, 0, sizeof *f);
	f->real = (sqlite3_file *)(f + 1);
	f->last = &f->first;
	rc = below->xOpen(below, path, f->real, flags, out_flags);
	if (rc == SQLITE_OK)
		rc = f->real->pMethods->xFileSize(f->real, &f->size);
	if (rc == SQLITE_OK)
		f->base.pMethods = &methods;
	return rc;
}

__attribute__((constructor)) static void take_over(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	seed = (unsigned long long)now.tv_nsec;
	if (getenv("POWER_SEED") != NULL)
		seed = strtoull(getenv("POWER_SEED"), NULL, 10);
	below = sqlite3_vfs_find(NULL);
	power = *below;
	power.zName = "power";
	power.szOsFile = (int)sizeof(struct file) + below->szOsFile;
	power.xOpen = power_open;
	sqlite3_vfs_register(&power, 1);
}
