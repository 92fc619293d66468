// Jobs of the pool from one thread and from several, with other numbers of threads in between, more of them than cores, jobs within
// jobs, and pauses long enough that the helpers fall asleep: under ThreadSanitizer, and each task must have run exactly once.
// Without it, as `pool speed [PROCESSORS]`: the time of a job without work, and of one of 3 ms, by the number of threads.
#include "CKernels.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/// Says that there are more processors or fewer than there are.
void graft_set_processor_count(int count);

#define MOST_TASKS 5000

struct work { long done[MOST_TASKS]; };

static void inner(void *context, long index) { ((long *)context)[index] += 1; }

static void task(void *context, long index) {
  struct work *work = context;
  work->done[index] += 1;
  if (index % 97 == 0) {
    long few[3] = {0};
    graft_parallel(3, inner, few);
    if (few[0] != 1 || few[1] != 1 || few[2] != 1) abort();
  }
}

static void run(long count) {
  static _Thread_local struct work work;
  memset(&work, 0, sizeof work);
  graft_parallel(count, task, &work);
  for (long i = 0; i < MOST_TASKS; i++)
    if (work.done[i] != (i < count)) abort();
}

static void *caller(void *argument) {
  for (long round = 0; round < 300; round++) run((round * 37 + (long)argument) % MOST_TASKS);
  return NULL;
}

static void sleep_for(long nanoseconds) { nanosleep(&(struct timespec){.tv_nsec = nanoseconds}, NULL); }

static void slow_task(void *context, long index) {
  task(context, index);
  sleep_for(index % 3 * 200000);
}

// Tasks that outlast the caller's patience, of jobs that find the helpers asleep or still at work.
static void run_slowly(void) {
  for (long round = 0; round < 40; round++) {
    static struct work work;
    memset(&work, 0, sizeof work);
    graft_parallel(round % 7 + 1, slow_task, &work);
    for (long i = 0; i < MOST_TASKS; i++)
      if (work.done[i] != (i < round % 7 + 1)) abort();
    if (round % 2) sleep_for(400000);
  }
}

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void nothing(void *context, long index) { (void)context, (void)index; }

static void sum(void *context, long index) {
  volatile double total = (double)index;
  for (long i = 0; i < *(long *)context; i++) total = total * 0.999999 + 1;
}

static double time_of(long rounds, long tasks, graft_task task, void *context) {
  double least = 1e9;
  for (int try = 0; try < 5; try++) {
    double start = seconds();
    for (long round = 0; round < rounds; round++) graft_parallel(tasks, task, context);
    double time = (seconds() - start) / (double)rounds;
    if (time < least) least = time;
  }
  return least;
}

static void measure(void) {
  long length = 20000;
  for (int threads = 1; threads <= 16; threads *= 2) {
    graft_set_thread_count(threads);
    printf("%2d threads: a job of 2 or 64 empty tasks %5.0f and %5.0f ns", threads, 1e9 * time_of(10000, 2, nothing, NULL),
           1e9 * time_of(10000, 64, nothing, NULL));
    printf(", of 64 tasks of 50 us %6.0f us\n", 1e6 * time_of(20, 64, sum, &length));
  }
}

int main(int count, char **arguments) {
  if (count > 1 && !strcmp(arguments[1], "speed")) {
    if (count > 2) graft_set_processor_count(atoi(arguments[2]));
    measure();
    return 0;
  }
  graft_set_processor_count(16);
  static const int threads[] = {2, 4, 1, 16, 8, 3};
  for (int i = 0; i < 6; i++) {
    graft_set_thread_count(threads[i]);
    if (graft_thread_count() != threads[i]) abort();
    caller((void *)1L);
    sleep_for(2000000);
    run_slowly();
    pthread_t callers[3];
    for (long c = 0; c < 3; c++) pthread_create(&callers[c], NULL, caller, (void *)c);
    for (int c = 0; c < 3; c++) pthread_join(callers[c], NULL);
    graft_set_processor_count(i % 2 ? 16 : 2);
    caller((void *)2L);
    graft_set_processor_count(16);
  }
  puts("pool: clean");
  return 0;
}
