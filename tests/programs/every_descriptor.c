// SPDX-License-Identifier: Apache-2.0
// Each way to get, name, copy, read, write and close a descriptor, and to wait for one, with its
// result as it is bare. What must be recorded is said at the end.
#include "program.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>

static int epoll;
static int opened, reads, writes, bytes_read, bytes_written, polls, found, sleeps;

static int watch(int descriptor) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = descriptor};
  REQUIRE(epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0);
  return descriptor;
}
static int open_(int descriptor) {
  REQUIRE(descriptor >= 0);
  opened++;
  return descriptor;
}
static void did_read(ssize_t bytes) {
  REQUIRE(bytes > 0);
  reads++, bytes_read += (int)bytes;
}
static void did_write(ssize_t bytes) {
  REQUIRE(bytes > 0);
  writes++, bytes_written += (int)bytes;
}

static void kinds(void) {
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGUSR2);
  int pipes[2], made[6];
  made[0] = open_(eventfd(0, EFD_NONBLOCK));
  made[1] = open_(timerfd_create(CLOCK_MONOTONIC, 0));
  made[2] = open_(signalfd(-1, &mask, 0));
  REQUIRE(signalfd(made[2], &mask, 0) == made[2]);
  made[3] = open_(inotify_init1(IN_NONBLOCK));
  REQUIRE(pipe(pipes) == 0);
  opened += 2;
  made[4] = pipes[0], made[5] = pipes[1];
  for (int i = 0; i < 5; i++) watch(made[i]);
  for (int i = 0; i < 6; i++) close(made[i]);
  errno = 0;
  REQUIRE(socket(-1, 0, 0) == -1 && errno == EAFNOSUPPORT);
  REQUIRE(eventfd(0, ~0) == -1 && errno == EINVAL);
}

static void copies(void) {
  const int first = open_(eventfd(0, 0)), second = open_(dup(first));
  const int third = open_(fcntl(first, F_DUPFD, 100)),
            fourth = open_(fcntl(first, F_DUPFD_CLOEXEC, 200));
  REQUIRE(third >= 100 && fourth >= 200 && fcntl(fourth, F_GETFD) == FD_CLOEXEC);
  REQUIRE(fcntl(first, F_SETFL, O_NONBLOCK) == 0 && fcntl(second, F_GETFL) & O_NONBLOCK);
  errno = 0;
  REQUIRE(fcntl(-1, F_GETFD) == -1 && errno == EBADF);
  struct flock lock = {.l_type = F_WRLCK};
  FILE *file = tmpfile();
  REQUIRE(file && fcntl(fileno(file), F_SETLK, &lock) == 0 && lock.l_type == F_WRLCK);
  REQUIRE(open_(dup2(first, third)) == third);
  REQUIRE(dup2(first, first) == first);
  REQUIRE(open_(dup3(first, fourth, O_CLOEXEC)) == fourth);
  REQUIRE(dup3(first, first, 0) == -1 && errno == EINVAL);
  REQUIRE(close_range((unsigned)third, (unsigned)fourth, 0) == 0);
  REQUIRE(fcntl(third, F_GETFD) == -1 && fcntl(fourth, F_GETFD) == -1);
  close(first), close(second);
  fclose(file);
}

static void transfers(void) {
  int ends[2];
  char buffer[64];
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  opened += 2;
  const int from = watch(ends[0]), to = watch(ends[1]);
  struct iovec part = {buffer, 10};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  struct mmsghdr several = {.msg_hdr = message};
  memset(buffer, 'x', sizeof buffer);
  did_write(write(from, buffer, 5)), did_read(read(to, buffer, 60));
  did_write(writev(from, &part, 1)), did_read(readv(to, &part, 1));
  did_write(send(from, buffer, 7, 0)), did_read(recv(to, buffer, 60, 0));
  did_write(sendto(from, buffer, 8, 0, NULL, 0)), did_read(recvfrom(to, buffer, 60, 0, NULL, NULL));
  did_write(sendmsg(from, &message, 0)), did_read(recvmsg(to, &message, 0));
  REQUIRE(sendmmsg(from, &several, 1, 0) == 1);
  did_write(several.msg_len);
  REQUIRE(recvmmsg(to, &several, 1, 0, NULL) == 1);
  did_read(several.msg_len);
  FILE *file = tmpfile();
  REQUIRE(file && ftruncate(fileno(file), 9) == 0);
  off_t offset = 0;
  did_write(sendfile(from, fileno(file), &offset, 9)), did_read(recv(to, buffer, 60, 0));
  REQUIRE(offset == 9);
  errno = 0;
  REQUIRE(recv(to, buffer, 60, MSG_DONTWAIT) == -1 && errno == EAGAIN);
  reads++;
  REQUIRE(shutdown(from, SHUT_WR) == 0);
  fclose(file), close(from), close(to);
}

static void connections(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  const int listener = open_(socket(AF_INET, SOCK_STREAM, 0));
  REQUIRE(bind(listener, (struct sockaddr *)&address, length) == 0 && listen(listener, 5) == 0);
  REQUIRE(getsockname(listener, (struct sockaddr *)&address, &length) == 0);
  const int client = open_(socket(AF_INET, SOCK_STREAM, 0));
  REQUIRE(connect(client, (struct sockaddr *)&address, length) == 0);
  struct sockaddr_in peer;
  length = sizeof peer;
  const int taken = accept4(listener, (struct sockaddr *)&peer, &length, SOCK_CLOEXEC);
  REQUIRE(taken >= 0 && fcntl(taken, F_GETFD) == FD_CLOEXEC);
  printf("%d %d\n", ntohs(address.sin_port), ntohs(peer.sin_port));
  close(taken), close(client), close(listener);
  const int refused = open_(socket(AF_UNIX, SOCK_STREAM, 0));
  struct sockaddr_un nobody = {.sun_family = AF_UNIX, .sun_path = "nobody.sock"};
  REQUIRE(connect(refused, (struct sockaddr *)&nobody, sizeof nobody) == -1 && errno == ENOENT);
  close(refused);
}

static void waits(void) {
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  opened += 2;
  struct pollfd list[] = {{ends[0], POLLIN, 0}, {ends[1], POLLOUT, 0}, {-1, POLLIN, 0}};
  struct timespec soon = {0, 10000000};
  struct timeval then = {0, 10000};
  fd_set readable, writable;
  REQUIRE(poll(list, 1, 10) == 0);
  REQUIRE(poll(list, 3, -1) == 1 && list[1].revents == POLLOUT);
  REQUIRE(ppoll(list, 1, &soon, NULL) == 0);
  FD_ZERO(&readable);
  FD_ZERO(&writable);
  FD_SET(ends[0], &readable);
  FD_SET(ends[1], &writable);
  REQUIRE(select(ends[1] + 1, &readable, &writable, NULL, &then) == 1);
  REQUIRE(!FD_ISSET(ends[0], &readable) && FD_ISSET(ends[1], &writable));
  did_write(write(ends[1], "ready", 5));
  FD_SET(ends[0], &readable);
  REQUIRE(pselect(ends[1] + 1, &readable, &writable, NULL, NULL, NULL) == 2);
  polls += 5, found += 4;
  char buffer[8];
  did_read(read(ends[0], buffer, sizeof buffer));
  errno = 0;
  volatile nfds_t too_many = 1u << 30;
  REQUIRE(poll(list, too_many, 0) == -1 && errno == EINVAL);
  volatile nfds_t beyond = (nfds_t)1 << 40;  // the kernel sees a list of none
  REQUIRE(poll(list, beyond, 0) == 0);
  polls += 2;
  close(ends[0]), close(ends[1]);
}

static void sleeping(void) {
  const struct timespec short_time = {0, 20000000};
  REQUIRE(nanosleep(&short_time, NULL) == 0 && usleep(20000) == 0 && sleep(0) == 0);
  REQUIRE(clock_nanosleep(CLOCK_MONOTONIC, 0, &short_time, NULL) == 0);
  REQUIRE(clock_nanosleep(77, 0, &short_time, NULL) == EINVAL);
  sleeps += 5;
  FILE *file = tmpfile();
  REQUIRE(file && fsync(fileno(file)) == 0 && fdatasync(fileno(file)) == 0);
  errno = 0;
  REQUIRE(fsync(-1) == -1 && errno == EBADF);
  fclose(file);
  struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV}, *answer;
  REQUIRE(getaddrinfo("127.0.0.1", "80", &hints, &answer) == 0);
  freeaddrinfo(answer);
  REQUIRE(getaddrinfo("not numeric", NULL, &hints, &answer) == EAI_NONAME);
}

int main(void) {
  epoll = epoll_create1(EPOLL_CLOEXEC);
  kinds();
  copies();
  transfers();
  connections();
  waits();
  sleeping();
  printf("{\"opened\": %d, \"reads\": %d, \"writes\": %d, \"bytes_read\": %d, "
         "\"bytes_written\": %d, \"polls\": %d, \"found\": %d, \"sleeps\": %d}\n",
         opened, reads, writes, bytes_read, bytes_written, polls, found, sleeps);
  return 0;
}
