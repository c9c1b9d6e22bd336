// Goal: the limits of cgroups are found wherever container runtimes put them,
// and nothing that stands in those files can do harm. The trees are made here,
// as they were seen on real machines.

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "src/common.h"
#include "src/machine.h"
#include "tests/unit/support.h"

#define MB (UINT64_C(1) << 20)

// -- a tree of our own

static char root[] = "/tmp/nwpool-machine-XXXXXX";

static void setup(void)
{
    cr_assert(ne(ptr, mkdtemp(root), NULL));
}

static int remove_one(const char *path, const struct stat *info, int type,
                      struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    return remove(path);
}

static void teardown(void)
{
    if (nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0) {
        abort();
    }
    nw_test_no_leaks();
}

TestSuite(machine, .init = setup, .fini = teardown, .timeout = 20);

// Each directory on the way to the last name of the path.
static void make_parents(char *path)
{
    for (char *at = path + strlen(root) + 1; (at = strchr(at, '/')) != NULL;
         at++) {
        *at = '\0';
        cr_assert(mkdir(path, 0755) == 0 || errno == EEXIST);
        *at = '/';
    }
}

static FILE *create(const char *name)
{
    char path[PATH_MAX];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", root, name);
    make_parents(path);
    file = fopen(path, "w");
    cr_assert(ne(ptr, file, NULL));
    return file;
}

static void put(const char *name, const char *text)
{
    FILE *file = create(name);

    fputs(text, file);
    fclose(file);
}

static void put_groups(const char *text)
{
    put("proc/self/cgroup", text);
}

static void put_mounts(const char *text)
{
    put("proc/self/mountinfo", text);
}

#define expect_cpus(count)                                                     \
    cr_expect(eq(u64, nw__machine_cpu_quota(root), (uint64_t)(count)))
#define expect_memory(bytes)                                                   \
    cr_expect(eq(u64, nw__machine_memory_limit(root), (uint64_t)(bytes)))

// -- version 2

#define MOUNT_V2                                                               \
    "29 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 "        \
    "rw,nsdelegate\n"

static void put_v2(const char *groups)
{
    put_mounts("22 28 0:21 / /proc rw shared:12 - proc proc rw\n" MOUNT_V2);
    put_groups(groups);
}

Test(machine, the_quota_of_the_group_itself_is_rounded_up)
{
    put_v2("0::/user.slice/app.scope\n");
    put("sys/fs/cgroup/user.slice/app.scope/cpu.max", "150000 100000\n");
    put("sys/fs/cgroup/user.slice/app.scope/memory.max", "536870912\n");
    expect_cpus(2);
    expect_memory(512 * MB);
}

Test(machine, less_than_one_cpu_is_one)
{
    put_v2("0::/a\n");
    put("sys/fs/cgroup/a/cpu.max", "1000 100000\n");
    expect_cpus(1);
}

Test(machine, a_whole_number_of_cpus_stays_one)
{
    put_v2("0::/a\n");
    put("sys/fs/cgroup/a/cpu.max", "300000 100000\n");
    expect_cpus(3);
}

Test(machine, the_smallest_limit_of_all_ancestors_counts)
{
    put_v2("0::/a/b/c\n");
    put("sys/fs/cgroup/a/cpu.max", "200000 100000\n");
    put("sys/fs/cgroup/a/memory.max", "1073741824\n");
    put("sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
    put("sys/fs/cgroup/a/b/memory.max", "268435456\n");
    put("sys/fs/cgroup/a/b/c/cpu.max", "800000 100000\n");
    put("sys/fs/cgroup/a/b/c/memory.max", "max\n");
    // A relative, and somebody with a name that begins like ours.
    put("sys/fs/cgroup/a/b/d/cpu.max", "100000 100000\n");
    put("sys/fs/cgroup/a/bb/memory.max", "1048576\n");
    expect_cpus(2);
    expect_memory(256 * MB);
}

Test(machine, groups_without_the_controller_are_passed)
{
    put_v2("0::/a/b/c\n");
    put("sys/fs/cgroup/a/cpu.max", "200000 100000\n");
    put("sys/fs/cgroup/a/b/c/cgroup.procs", "1\n");
    expect_cpus(2);
    expect_memory(NW__NO_LIMIT);
}

Test(machine, memory_that_is_only_throttled_counts_too)
{
    put_v2("0::/a\n");
    put("sys/fs/cgroup/a/memory.max", "1073741824\n");
    put("sys/fs/cgroup/a/memory.high", "805306368\n");
    expect_memory(768 * MB);
    put("sys/fs/cgroup/a/memory.high", "max\n");
    expect_memory(1024 * MB);
}

Test(machine, max_is_no_limit)
{
    put_v2("0::/a\n");
    put("sys/fs/cgroup/a/cpu.max", "max 100000\n");
    put("sys/fs/cgroup/a/memory.max", "max\n");
    put("sys/fs/cgroup/a/memory.high", "max\n");
    expect_cpus(NW__NO_LIMIT);
    expect_memory(NW__NO_LIMIT);
}

// -- version 1

#define MOUNT_V1(directory, controllers, shown)                                \
    "33 31 0:30 " shown " /sys/fs/cgroup/" directory                           \
    " rw,relatime shared:10 master:3 - cgroup cgroup rw," controllers "\n"

Test(machine, version_1_has_a_hierarchy_for_each_controller)
{
    put_mounts(MOUNT_V1("cpuset", "cpuset", "/") MOUNT_V1(
        "cpu,cpuacct", "cpu,cpuacct", "/") MOUNT_V1("memory", "memory", "/"));
    put_groups("12:cpuset:/other\n"
               "4:memory:/mem/a\n"
               "3:cpu,cpuacct:/cpu/a\n"
               "1:name=systemd:/init.scope\n");
    put("sys/fs/cgroup/cpu,cpuacct/cpu/cpu.cfs_quota_us", "-1\n");
    put("sys/fs/cgroup/cpu,cpuacct/cpu/cpu.cfs_period_us", "100000\n");
    put("sys/fs/cgroup/cpu,cpuacct/cpu/a/cpu.cfs_quota_us", "250000\n");
    put("sys/fs/cgroup/cpu,cpuacct/cpu/a/cpu.cfs_period_us", "50000\n");
    put("sys/fs/cgroup/cpuset/cpu/a/tasks", "1\n");
    put("sys/fs/cgroup/cpuset/mem/a/tasks", "1\n");
    put("sys/fs/cgroup/memory/mem/memory.limit_in_bytes", "134217728\n");
    put("sys/fs/cgroup/memory/mem/a/memory.limit_in_bytes",
        "9223372036854771712\n");
    expect_cpus(5);
    expect_memory(128 * MB);
}

Test(machine, version_1_says_unlimited_with_a_large_number)
{
    put_mounts(MOUNT_V1("memory", "memory", "/"));
    put_groups("4:memory:/a\n");
    put("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    put("sys/fs/cgroup/memory/a/memory.limit_in_bytes",
        "9223372036854710272\n"); // With pages of 64 KiB.
    expect_memory(NW__NO_LIMIT);
}

// A bind mount of a part of the hierarchy, in a container without a namespace:
// the path is that of the host.
Test(machine, a_mount_may_show_only_the_group_of_the_container)
{
    put_mounts(MOUNT_V1("memory", "memory", "/docker/0123"));
    put_groups("4:memory:/docker/0123/app\n");
    put("sys/fs/cgroup/memory/memory.limit_in_bytes", "268435456\n");
    put("sys/fs/cgroup/memory/app/memory.limit_in_bytes", "134217728\n");
    put("sys/fs/cgroup/memory/docker/0123/app/memory.limit_in_bytes", "1\n");
    expect_memory(128 * MB);
    put_groups("4:memory:/docker/0123\n");
    expect_memory(256 * MB);
}

// -- both

Test(machine, in_a_hybrid_layout_both_versions_are_asked)
{
    put_mounts(MOUNT_V1(
        "memory", "memory",
        "/") "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 none rw\n");
    put_groups("4:memory:/a\n0::/b\n");
    put("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "536870912\n");
    put("sys/fs/cgroup/unified/b/cpu.max", "200000 100000\n");
    expect_cpus(2);
    expect_memory(512 * MB);
    put("sys/fs/cgroup/unified/b/memory.max", "268435456\n");
    expect_memory(256 * MB);
}

// -- namespaces: the root of the mount is what is left

static void put_root_limits(void)
{
    put("sys/fs/cgroup/cpu.max", "400000 100000\n");
    put("sys/fs/cgroup/memory.max", "67108864\n");
}

static void expect_root_limits(void)
{
    expect_cpus(4);
    expect_memory(64 * MB);
}

Test(machine, the_root_of_a_namespace_has_limits)
{
    put_v2("0::/\n");
    put_root_limits();
    expect_root_limits();
}

Test(machine, a_path_above_the_namespace_falls_back_to_the_mount)
{
    put_v2("0::/../..\n");
    put_root_limits();
    put("cpu.max", "100000 100000\n"); // Where the path would lead.
    put("sys/memory.max", "1048576\n");
    expect_root_limits();
    put_groups("0::/../neighbour\n");
    put("sys/fs/neighbour/memory.max", "1048576\n");
    expect_root_limits();
}

Test(machine, a_path_that_is_not_there_falls_back_to_the_mount)
{
    put_v2("0::/kubepods/pod1/app\n");
    put_root_limits();
    // As a container has it that makes containers itself.
    put("sys/fs/cgroup/kubepods/cpu.max", "100000 100000\n");
    expect_root_limits();
    put_groups("0::/kubepods (deleted)\n");
    expect_root_limits();
}

Test(machine, a_mount_from_above_the_namespace_is_all_that_is_known)
{
    put_mounts("29 23 0:26 /../.. /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
    put_groups("0::/app\n");
    put_root_limits();
    put("sys/fs/cgroup/app/memory.max", "1048576\n"); // Somebody else.
    expect_root_limits();
}

Test(machine, two_dots_in_a_name_are_a_name)
{
    put_v2("0::/a..b/..c\n");
    put("sys/fs/cgroup/a..b/..c/cpu.max", "200000 100000\n");
    expect_cpus(2);
}

// -- which mount

Test(machine, a_mount_of_another_group_says_nothing)
{
    put_mounts("40 23 0:26 /docker/77 /var/lib/x rw - cgroup2 cgroup2 rw\n"
               "41 23 0:26 /app /mnt/app rw - cgroup2 cgroup2 rw\n" MOUNT_V2
               "42 23 0:26 /docker/78 /var/lib/y rw - cgroup2 cgroup2 rw\n");
    put_groups("0::/app/one\n");
    put("var/lib/x/cpu.max", "100000 100000\n");
    put("var/lib/y/cpu.max", "100000 100000\n");
    put("mnt/app/one/cgroup.procs", "1\n");
    put("sys/fs/cgroup/cpu.max", "300000 100000\n");
    put("sys/fs/cgroup/app/one/cpu.max", "700000 100000\n");
    expect_cpus(3);
}

Test(machine, a_mount_of_the_ancestors_is_a_better_guess_than_others)
{
    put_mounts("40 23 0:26 /app /mnt/app rw - cgroup2 cgroup2 rw\n" MOUNT_V2);
    put_groups("0::/was/here\n");
    put("mnt/app/cpu.max", "100000 100000\n");
    put("sys/fs/cgroup/cpu.max", "300000 100000\n");
    expect_cpus(3);
}

Test(machine, a_group_whose_name_begins_like_ours_is_another)
{
    put_mounts("40 23 0:26 /xyz /mnt/x rw - cgroup2 cgroup2 rw\n"
               "41 23 0:26 /ap /mnt/ap rw - cgroup2 cgroup2 rw\n");
    put_groups("0::/app/one\n");
    put("mnt/x/cpu.max", "300000 100000\n");
    put("mnt/ap/p/one/cpu.max", "100000 100000\n");
    expect_cpus(3); // The first mount: no better is known.
}

Test(machine, a_mount_point_may_have_blanks_in_its_name)
{
    put_mounts("29 23 0:26 / /my\\040own\\134cgroups rw - cgroup2 none rw\n");
    put_groups("0::/a b:c\n");
    put("my own\\cgroups/a b:c/cpu.max", "200000 100000\n");
    expect_cpus(2);
}

Test(machine, a_mount_may_be_at_the_root)
{
    put_mounts("29 23 0:26 / / rw - cgroup2 none rw\n");
    put_groups("0::/a\n");
    put("a/cpu.max", "200000 100000\n");
    expect_cpus(2);
}

// Many mounts, and some with lines of any length, as overlays have.
Test(machine, other_mounts_do_not_matter)
{
    FILE *mounts = create("proc/self/mountinfo");

    for (int i = 0; i < 500; i++) {
        fprintf(mounts, "%d 23 0:26 / /overlay/%d rw - overlay o rw", i, i);
        for (int j = 0; j < i % 40 * 10; j++) {
            fprintf(mounts, ",lowerdir=/var/lib/layers/%d", j);
        }
        fputs("\n", mounts);
    }
    fputs(MOUNT_V2, mounts);
    fclose(mounts);
    put_groups("0::/a\n");
    put("sys/fs/cgroup/a/cpu.max", "200000 100000\n");
    expect_cpus(2);
}

// The end of a line that was too long is no line.
Test(machine, what_ends_like_a_mount_is_none)
{
    FILE *mounts = create("proc/self/mountinfo");

    fprintf(mounts, "%04096d", 0);
    fputs("29 23 0:26 / /elsewhere rw - cgroup2 none rw\n" MOUNT_V2, mounts);
    fclose(mounts);
    put_groups("0::/a\n");
    put("elsewhere/a/cpu.max", "100000 100000\n");
    put("sys/fs/cgroup/a/cpu.max", "200000 100000\n");
    expect_cpus(2);
}

// -- nothing there, or nonsense

Test(machine, without_files_there_is_no_limit)
{
    expect_cpus(NW__NO_LIMIT);
    expect_memory(NW__NO_LIMIT);
    put_groups("0::/a\n");
    expect_cpus(NW__NO_LIMIT);
    put_mounts(MOUNT_V2);
    expect_cpus(NW__NO_LIMIT);
    expect_memory(NW__NO_LIMIT);
    cr_expect(eq(u64, nw__machine_cpu_quota("/nowhere"), NW__NO_LIMIT));
}

Test(machine, a_number_that_is_none_is_no_limit)
{
    static const char *const cpus[] = {
        "",
        "\n",
        "100000",
        "100000\n",
        "100000 \n",
        "100000 0\n",
        "0 100000\n",
        "-100000 100000\n",
        "100000  100000\n",
        "100000 100000 100000\n",
        "100000 100000 a\n",
        "0x10000 100000\n",
        "99999999999999999999 100000\n",
        "18446744073709551616 100000\n",
        "000000000000000000000000000000000000000000000000000000001 100000\n",
    };
    static const char *const bytes[] = {
        "",        "\n",    "0\n",          "-1\n",
        "12 MB\n", "1e6\n", "4096\n4096\n", "18446744073709551616\n",
    };

    put_v2("0::/a\n");
    for (size_t i = 0; i < NW_ARRAY_SIZE(cpus); i++) {
        put("sys/fs/cgroup/a/cpu.max", cpus[i]);
        cr_expect(eq(u64, nw__machine_cpu_quota(root), NW__NO_LIMIT), "%s",
                  cpus[i]);
    }
    for (size_t i = 0; i < NW_ARRAY_SIZE(bytes); i++) {
        put("sys/fs/cgroup/a/memory.max", bytes[i]);
        cr_expect(eq(u64, nw__machine_memory_limit(root), NW__NO_LIMIT), "%s",
                  bytes[i]);
    }
}

Test(machine, the_largest_numbers_do_not_overflow)
{
    put_v2("0::/a\n");
    put("sys/fs/cgroup/a/cpu.max", "18446744073709551615 18446744073709551615");
    expect_cpus(1);
    put("sys/fs/cgroup/a/cpu.max", "18446744073709551615 2\n");
    expect_cpus(UINT64_C(1) << 63);
}

Test(machine, lines_that_make_no_sense_are_passed)
{
    static const char *const lines[] = {
        "",
        ":",
        "::",
        "0:",
        "0::",
        " - ",
        " -  -  ",
        "a - cgroup2",
        "1 2 3 4",
        "- - - - - -",
        "1 2 3 / / rw - cgroup2",
        "1 2 3 / / rw - cgroup2 none",
        "1 2 3 / relative rw - cgroup2 none rw",
        "1 2 3 / /missing rw - cgroup2 none rw",
        "1 2 3 / /proc/self/cgroup rw - cgroup2 none rw",
    };
    FILE *mounts = create("proc/self/mountinfo");
    FILE *groups = create("proc/self/cgroup");

    for (size_t i = 0; i < NW_ARRAY_SIZE(lines); i++) {
        fprintf(mounts, "%s\n", lines[i]);
        fprintf(groups, "%s\n", i < 4 ? lines[i] : "4:memory:/b");
    }
    fputs(MOUNT_V2, mounts);
    fputs("0::/a\n0::/b\n", groups);
    fclose(mounts);
    fclose(groups);
    put("sys/fs/cgroup/a/cpu.max", "200000 100000\n");
    expect_cpus(2);
}

Test(machine, a_path_that_is_too_long_is_no_limit)
{
    FILE *groups;

    put_v2("");
    put_root_limits();
    groups = create("proc/self/cgroup");
    fputs("0::", groups);
    for (int i = 0; i < 1500; i++) {
        fputs("/a", groups);
    }
    fputs("\n", groups);
    fclose(groups);
    expect_cpus(NW__NO_LIMIT);
    expect_memory(NW__NO_LIMIT);
}

// One on which open() or read() would wait, one that cannot be read, one that
// never ends.
Test(machine, files_of_other_kinds_are_no_limit)
{
    char path[PATH_MAX];

    put_v2("0::/a\n");
    put("sys/fs/cgroup/a/memory.max/file", "");
    snprintf(path, sizeof(path), "%s/sys/fs/cgroup/a/cpu.max", root);
    cr_assert(eq(int, mkfifo(path, 0600), 0));
    expect_cpus(NW__NO_LIMIT);
    expect_memory(NW__NO_LIMIT);

    snprintf(path, sizeof(path), "%s/proc/self/mountinfo", root);
    cr_assert(eq(int, unlink(path), 0));
    cr_assert(eq(int, symlink("/dev/zero", path), 0));
    expect_cpus(NW__NO_LIMIT);
}

Test(machine, no_descriptor_stays_open)
{
    struct rlimit limit;
    struct rlimit few = {.rlim_cur = 16};

    put_mounts("40 23 0:26 /a/b /one rw - cgroup2 none rw\n" MOUNT_V2
               "41 23 0:26 /a/b /one rw - cgroup2 none rw\n");
    put_groups("0::/a/b\n");
    put("sys/fs/cgroup/a/b/cpu.max", "200000 100000\n");
    put("one/cpu.max", "100000 100000\n");
    cr_assert(eq(int, getrlimit(RLIMIT_NOFILE, &limit), 0));
    few.rlim_max = limit.rlim_max;
    cr_assert(eq(int, setrlimit(RLIMIT_NOFILE, &few), 0));
    for (int i = 0; i < 100; i++) {
        expect_cpus(2);
        cr_assert(eq(u64, nw__machine_memory_limit(root), NW__NO_LIMIT));
    }
    put_groups("0::/c/d\n");
    for (int i = 0; i < 100; i++) {
        expect_cpus(NW__NO_LIMIT);
    }
    setrlimit(RLIMIT_NOFILE, &limit);
}

// -- this process

// The real call, or that of a kernel with more CPUs than fit into cpu_set_t,
// which refuses a smaller set than it needs.
static unsigned many_cpus;

int sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set)
{
    long written;

    if (many_cpus == 0) {
        written = syscall(SYS_sched_getaffinity, pid, size, set);
        if (written >= 0) {
            memset((char *)set + written, 0, size - (size_t)written);
        }
        return written < 0 ? -1 : 0;
    }
    if (size < CPU_ALLOC_SIZE(many_cpus)) {
        errno = EINVAL;
        return -1;
    }
    memset(set, 0, size);
    for (unsigned i = 0; i < many_cpus; i++) {
        CPU_SET_S(i, size, set);
    }
    return 0;
}

static uint32_t cpus_now(void)
{
    uint64_t quota = nw__machine_cpu_quota("/");
    cpu_set_t set;
    uint64_t count;

    cr_assert(eq(int, sched_getaffinity(0, sizeof(set), &set), 0));
    count = (uint64_t)CPU_COUNT(&set);
    return (uint32_t)(quota < count ? quota : count);
}

Test(machine, this_process_may_use_what_its_affinity_allows)
{
    cpu_set_t one;

    cr_expect(eq(u32, nw__machine_cpus(), cpus_now()));
    CPU_ZERO(&one);
    CPU_SET((size_t)sched_getcpu(), &one);
    cr_assert(eq(int, sched_setaffinity(0, sizeof(one), &one), 0));
    cr_expect(eq(u32, nw__machine_cpus(), 1));
}

Test(machine, there_may_be_more_cpus_than_a_set_holds)
{
    uint64_t quota = nw__machine_cpu_quota("/");

    many_cpus = 8192;
    cr_expect(eq(u32, nw__machine_cpus(),
                 quota < many_cpus ? (uint32_t)quota : many_cpus));
}

// The tests of the kernel's files on this machine are the ones above.
Test(machine, this_process_may_use_what_the_machine_has)
{
    uint64_t bytes =
        (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t limit = nw__machine_memory_limit("/");

    cr_expect(eq(u64, nw__machine_memory(), limit < bytes ? limit : bytes));
}

#if !defined(__SANITIZE_ADDRESS__) // It has terabytes of address space.
Test(machine, this_process_may_use_what_its_address_space_allows)
{
    struct rlimit limit;
    uint64_t bytes = nw__machine_memory() - 1;

    cr_assert(eq(int, getrlimit(RLIMIT_AS, &limit), 0));
    limit.rlim_cur = (rlim_t)bytes;
    cr_assert(eq(int, setrlimit(RLIMIT_AS, &limit), 0));
    cr_expect(eq(u64, nw__machine_memory(), bytes));
}
#endif

#if defined(__SANITIZE_ADDRESS__)
#define TINY ((size_t)256 << 10)
#else
#define TINY ((size_t)PTHREAD_STACK_MIN)
#endif

static void *ask_all(void *unused)
{
    (void)unused;
    nw__machine_cpus();
    nw__machine_memory();
    expect_cpus(2);
    return NULL;
}

Test(machine, a_tiny_stack_will_do)
{
    pthread_attr_t attributes;
    pthread_t thread;

    put_v2("0::/a\n");
    put("sys/fs/cgroup/a/cpu.max", "200000 100000\n");
    pthread_attr_init(&attributes);
    cr_assert(eq(int, pthread_attr_setstacksize(&attributes, TINY), 0));
    cr_assert(eq(int, pthread_create(&thread, &attributes, ask_all, NULL), 0));
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attributes);
}
