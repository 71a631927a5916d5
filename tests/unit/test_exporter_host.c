/* The host's files, made up: what node_exporter's names come to, odd lines, and control groups of both versions. */
#include "tests.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/host.h"
#include "sources.h"

static char folder[] = "/tmp/tocsin-host-XXXXXX";

static void put(const char *path, const char *text)
{
	char name[256];
	int fd;

	snprintf(name, sizeof name, "%s/%s", folder, path);
	for (char *p = name + strlen(folder) + 1; (p = strchr(p, '/')) != NULL; *p++ = '/') {
		*p = '\0';
		assert_true(mkdir(name, 0755) == 0 || errno == EEXIST);
	}
	fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static int set_up(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(folder));
	put("proc/stat", "cpu  9 9\ncpu0 100 200 300 400 500 600 700 800 900 1000\nintr 7 1 2 3\nctxt 8\nbtime 1700000000\nprocesses 5\n"
	    "procs_running 2\nprocs_blocked 1\nsoftirq 1 2\n");
	put("proc/meminfo", "MemTotal:  2 kB\nActive(anon):  3 kB\nHugePages_Total:   4\nbroken\n");
	put("proc/loadavg", "0.5 1.5 2.5 1/2 3\n");
	put("proc/vmstat", "nr_free_pages 1\npgpgin 2\npgmajfault 3\noom_kill 4\npgalloc 5\n");
	put("proc/sys/fs/file-nr", "10\t0\t20\n");
	put("proc/diskstats", "8 0 sda 1 2 3 4000 5 6 7 8000 9 10000 11000\n8 1 sda1 1 2 3 4 5 6 7 8 9 10 11\n");
	put("proc/1/mounts", "/dev/sda1 / ext4 ro,relatime 0 0\nproc /proc proc rw 0 0\n/dev/gone /no\\040where ext4 rw 0 0\n");
	put("proc/net/dev", "Inter-| Receive\n face |bytes\n  eth0:1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n");
	put("proc/pressure/io", "some avg10=0.00 total=1500000\nfull avg10=0.00 total=500000\n");
	put("sys/class/net/eth0/operstate", "up\n");
	put("sys/class/net/eth0/speed", "1000\n");
	put("sys/class/net/eth0/flags", "0x1003\n");
	return 0;
}

static int tear_down(void **state)
{
	char command[300];

	(void)state;
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command);
}

static void collect(const char *more, struct buf *page)
{
	struct clock clock = clock_manual(5000);
	struct source_ask ask = { 1000, -1, &clock };
	struct expo_set *out = expo_set_new();
	struct expo_part part = { out, NULL, 0 };
	struct conf_report r = { 0 };
	struct buf yaml = { 0 };
	struct err e = { 0 };
	struct sources *c;
	void *host;

	buf_printf(&yaml, "host: [{ name: x, procfs: %s/proc, sysfs: %s/sys, rootfs: %s%s }]\n", folder, folder, folder, more);
	c = sources_load_text(STR("x.yml"), buf_str(&yaml), &r);
	assert_int_equal(r.n_errors, 0);
	host = host_source_kind.open(c->v[0].settings, &clock);
	assert_true(host_source_kind.collect(host, &ask, out, &e));
	buf_reset(page);
	expo_write(page, &part, 1, EXPO_TEXT);
	host_source_kind.close(host);
	expo_set_unref(out);
	sources_unref(c);
	conf_report_fini(&r);
	buf_fini(&yaml);
}

static void expect(struct buf *page, const char *const *lines, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strstr(buf_z(page), lines[i]) == NULL)
			fail_msg("no %s in:\n%s", lines[i], buf_z(page));
}

static void files_become_families(void **state)
{
	static const char *const want[] = {
		"node_cpu_seconds_total{cpu=\"0\",mode=\"user\"} 1\n", "node_cpu_seconds_total{cpu=\"0\",mode=\"steal\"} 8\n",
		"node_cpu_guest_seconds_total{cpu=\"0\",mode=\"nice\"} 10\n", "node_intr_total 7\n", "node_boot_time_seconds 1.7e+09\n",
		"node_forks_total 5\n", "node_procs_blocked 1\n", "node_memory_MemTotal_bytes 2048\n", "node_memory_Active_anon_bytes 3072\n",
		"node_memory_HugePages_Total 4\n", "node_load15 2.5\n", "# TYPE node_vmstat_pgmajfault untyped\n", "node_vmstat_oom_kill 4\n",
		"node_filefd_maximum 20\n", "node_disk_read_bytes_total{device=\"sda\"} 1536\n",
		    "node_disk_io_time_seconds_total{device=\"sda\"} 10\n",
		"node_filesystem_readonly{device=\"/dev/sda1\",fstype=\"ext4\",mountpoint=\"/\"} 1\n",
		"node_filesystem_device_error{device=\"/dev/gone\",fstype=\"ext4\",mountpoint=\"/no where\"} 1\n",
		"node_network_receive_drop_total{device=\"eth0\"} 4\n", "node_network_transmit_carrier_total{device=\"eth0\"} 15\n",
		"node_network_speed_bytes{device=\"eth0\"} 1.25e+08\n", "node_network_flags{device=\"eth0\"} 4099\n",
		"node_network_up{device=\"eth0\"} 1\n", "node_pressure_io_waiting_seconds_total 1.5\n",
		    "node_pressure_io_stalled_seconds_total 0.5\n",
		"node_scrape_collector_success{collector=\"cgroup\"} 0\n", "node_scrape_collector_success{collector=\"stat\"} 1\n",
	};
	struct buf page = { 0 };

	(void)state;
	collect("", &page);
	expect(&page, want, ARRAY_LEN(want));
	assert_null(strstr(buf_z(&page), "sda1\"} "));
	assert_null(strstr(buf_z(&page), "mountpoint=\"/proc\""));
	assert_null(strstr(buf_z(&page), "pgalloc"));
	collect(", disable: [meminfo]", &page);
	assert_null(strstr(buf_z(&page), "node_memory"));
	buf_fini(&page);
}

static void control_groups(void **state)
{
	static const char *const v1[] = { "tocsin_cgroup_memory_usage_bytes{cgroup=\"/app\"} 5000\n",
		"tocsin_cgroup_cpu_limit_cores{cgroup=\"/app\"} 1.5\n", "tocsin_cgroup_cpu_usage_seconds_total{cgroup=\"/app\"} 2\n",
		"tocsin_cgroup_oom_kills_total{cgroup=\"/app\"} 3\n" };
	static const char *const v2[] = { "tocsin_cgroup_memory_limit_bytes{cgroup=\"/app\"} 1000\n",
		"tocsin_cgroup_cpu_limit_cores{cgroup=\"/app\"} 0.5\n", "tocsin_cgroup_cpu_throttled_seconds_total{cgroup=\"/app\"} 4\n" };
	static const char *const of_parents[] = { "tocsin_cgroup_memory_limit_bytes{cgroup=\"/app\"} 300\n",
		"tocsin_cgroup_memory_limit_bytes{cgroup=\"/app/a/b\"} 300\n", "tocsin_cgroup_cpu_limit_cores{cgroup=\"/app/a/b\"} 0.7\n" };
	static const char *const failed = "node_scrape_collector_success{collector=\"cgroup\"} 0\n";
	static const char *const worked = "node_scrape_collector_success{collector=\"cgroup\"} 1\n";
	struct buf page = { 0 };

	(void)state;
	put("proc/self/cgroup", "3:cpu,cpuacct:/app\n2:memory:/app\n0::/\n");
	put("sys/fs/cgroup/memory/app/cgroup.procs", "1\n");
	put("sys/fs/cgroup/memory/app/memory.limit_in_bytes", "9223372036854771712\n");
	put("sys/fs/cgroup/memory/app/memory.usage_in_bytes", "5000\n");
	put("sys/fs/cgroup/memory/app/memory.oom_control", "oom_kill_disable 0\noom_kill 3\n");
	put("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "150000\n");          /* the root: seen from inside a container */
	put("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
	put("sys/fs/cgroup/cpuacct/cpuacct.usage", "2000000000\n");
	collect("", &page);
	expect(&page, v1, ARRAY_LEN(v1));
	assert_null(strstr(buf_z(&page), "memory_limit"));
	put("sys/fs/cgroup/cgroup.controllers", "cpu memory\n");
	put("sys/fs/cgroup/app/memory.max", "1000\n");
	put("sys/fs/cgroup/app/cpu.max", "50000 100000\n");
	put("sys/fs/cgroup/app/cpu.stat", "usage_usec 1\nthrottled_usec 4000000\n");
	collect(", cgroups: [/app, /nowhere]", &page);
	expect(&page, v2, ARRAY_LEN(v2));
	assert_null(strstr(buf_z(&page), "nowhere"));
	expect(&page, &failed, 1);
	put("sys/fs/cgroup/app/memory.max", "max\n");
	put("sys/fs/cgroup/app/cpu.max", "max 100000\n");
	collect(", cgroups: [/app]", &page);
	assert_null(strstr(buf_z(&page), "_limit_"));
	expect(&page, &worked, 1);
	put("sys/fs/cgroup/app/cpu.max", "-1 100000\n");
	put("sys/fs/cgroup/app/a/b/memory.max", "500\n");
	put("sys/fs/cgroup/app/a/memory.max", "max\n");
	put("sys/fs/cgroup/app/a/cpu.max", "70000 100000\n");
	put("sys/fs/cgroup/memory.max", "300\n");
	collect(", cgroups: [/app, /app/a/b]", &page);
	expect(&page, of_parents, ARRAY_LEN(of_parents));
	assert_null(strstr(buf_z(&page), "cpu_limit_cores{cgroup=\"/app\"}"));
	buf_fini(&page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_become_families),
		cmocka_unit_test(control_groups),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
