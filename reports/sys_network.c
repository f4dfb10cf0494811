/* Calls on sockets: addresses and messages. */
#include "sys.h"

#include <probes/alloc.h>

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static const struct name_of families[] = {
    {0, "AF_UNSPEC"},    {1, "AF_UNIX"},        {2, "AF_INET"},     {3, "AF_AX25"},     {4, "AF_IPX"},
    {5, "AF_APPLETALK"}, {6, "AF_NETROM"},      {7, "AF_BRIDGE"},   {8, "AF_ATMPVC"},   {9, "AF_X25"},
    {10, "AF_INET6"},    {11, "AF_ROSE"},       {12, "AF_DECnet"},  {13, "AF_NETBEUI"}, {14, "AF_SECURITY"},
    {15, "AF_KEY"},      {16, "AF_NETLINK"},    {17, "AF_PACKET"},  {18, "AF_ASH"},     {19, "AF_ECONET"},
    {20, "AF_ATMSVC"},   {21, "AF_RDS"},        {22, "AF_SNA"},     {23, "AF_IRDA"},    {24, "AF_PPPOX"},
    {25, "AF_WANPIPE"},  {26, "AF_LLC"},        {27, "AF_IB"},      {28, "AF_MPLS"},    {29, "AF_CAN"},
    {30, "AF_TIPC"},     {31, "AF_BLUETOOTH"},  {32, "AF_IUCV"},    {33, "AF_RXRPC"},   {34, "AF_ISDN"},
    {35, "AF_PHONET"},   {36, "AF_IEEE802154"}, {37, "AF_CAIF"},    {38, "AF_ALG"},     {39, "AF_NFC"},
    {40, "AF_VSOCK"},    {41, "AF_KCM"},        {42, "AF_QIPCRTR"}, {43, "AF_SMC"},     {44, "AF_XDP"},
    {45, "AF_MCTP"},
};

enum { TYPE_BITS = 0xf };

static const struct name_of types[] = {{1, "SOCK_STREAM"},    {2, "SOCK_DGRAM"}, {3, "SOCK_RAW"},    {4, "SOCK_RDM"},
                                       {5, "SOCK_SEQPACKET"}, {6, "SOCK_DCCP"},  {10, "SOCK_PACKET"}};

static const struct name_of type_flags[] = {{02000000, "SOCK_CLOEXEC"}, {04000, "SOCK_NONBLOCK"}};

static const struct name_of msg_flags[] = {
    {0x1, "MSG_OOB"},
    {0x2, "MSG_PEEK"},
    {0x4, "MSG_DONTROUTE"},
    {0x8, "MSG_CTRUNC"},
    {0x10, "MSG_PROBE"},
    {0x20, "MSG_TRUNC"},
    {0x40, "MSG_DONTWAIT"},
    {0x80, "MSG_EOR"},
    {0x100, "MSG_WAITALL"},
    {0x200, "MSG_FIN"},
    {0x400, "MSG_SYN"},
    {0x800, "MSG_CONFIRM"},
    {0x1000, "MSG_RST"},
    {0x2000, "MSG_ERRQUEUE"},
    {0x4000, "MSG_NOSIGNAL"},
    {0x8000, "MSG_MORE"},
    {0x10000, "MSG_WAITFORONE"},
    {0x20000, "MSG_SENDPAGE_NOTLAST"},
    {0x40000, "MSG_BATCH"},
    {0x80000, "MSG_NO_SHARED_FRAGS"},
    {0x4000000, "MSG_ZEROCOPY"},
    {0x20000000, "MSG_FASTOPEN"},
    {0x40000000, "MSG_CMSG_CLOEXEC"},
    {0x80000000, "MSG_CMSG_COMPAT"},
};

static const struct name_of socket_calls[] = {
    {1, "SYS_SOCKET"},    {2, "SYS_BIND"},        {3, "SYS_CONNECT"},     {4, "SYS_LISTEN"},
    {5, "SYS_ACCEPT"},    {6, "SYS_GETSOCKNAME"}, {7, "SYS_GETPEERNAME"}, {8, "SYS_SOCKETPAIR"},
    {9, "SYS_SEND"},      {10, "SYS_RECV"},       {11, "SYS_SENDTO"},     {12, "SYS_RECVFROM"},
    {13, "SYS_SHUTDOWN"}, {14, "SYS_SETSOCKOPT"}, {15, "SYS_GETSOCKOPT"}, {16, "SYS_SENDMSG"},
    {17, "SYS_RECVMSG"},  {18, "SYS_ACCEPT4"},    {19, "SYS_RECVMMSG"},   {20, "SYS_SENDMMSG"},
};

union address {
    struct sockaddr any;
    struct sockaddr_un un;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    char bytes[sizeof(struct sockaddr_storage)];
};

/* An abstract name (unix(7)) begins with a zero byte and counts to the end of the address. */
static void unix_address(struct text *out, const struct sockaddr_un *un, size_t size)
{
    size_t n = size - offsetof(struct sockaddr_un, sun_path);

    if (size <= offsetof(struct sockaddr_un, sun_path))
        return;
    if (n > sizeof un->sun_path)
        n = sizeof un->sun_path;
    text_add(out, ", sun_path=");
    if (un->sun_path[0]) {
        text_quote(out, un->sun_path, strnlen(un->sun_path, n));
    } else {
        text_addc(out, '@');
        text_quote(out, un->sun_path + 1, n - 1);
    }
}

static void inet6_address(struct text *out, const struct sockaddr_in6 *in6, size_t size)
{
    char shown[INET6_ADDRSTRLEN] = "", interface[IF_NAMESIZE];
    bool link = IN6_IS_ADDR_LINKLOCAL(&in6->sin6_addr) || IN6_IS_ADDR_MC_LINKLOCAL(&in6->sin6_addr);

    inet_ntop(AF_INET6, &in6->sin6_addr, shown, sizeof shown);
    text_addf(out, ", sin6_port=htons(%u), sin6_flowinfo=htonl(%u), inet_pton(AF_INET6, \"%s\", &sin6_addr)",
              ntohs(in6->sin6_port), ntohl(in6->sin6_flowinfo), shown);
    if (size < sizeof *in6)
        return;
    if (link && if_indextoname(in6->sin6_scope_id, interface))
        text_addf(out, ", sin6_scope_id=if_nametoindex(\"%s\")", interface);
    else
        text_addf(out, ", sin6_scope_id=%u", in6->sin6_scope_id);
}

/* struct sockaddr_nl: family, pad, pid, groups (netlink(7)). */
static void netlink_address(struct text *out, const char *bytes)
{
    int pid;
    uint32_t groups;

    memcpy(&pid, bytes + 4, 4);
    memcpy(&groups, bytes + 8, 4);
    text_addf(out, ", nl_pid=%d, nl_groups=%#08x", pid, groups);
}

static void address_fields(struct text *out, const union address *address, size_t size)
{
    char shown[INET_ADDRSTRLEN] = "";

    switch (address->any.sa_family) {
    case AF_UNIX:
        unix_address(out, &address->un, size);
        return;
    case AF_INET:
        if (size < sizeof address->in)
            break;
        inet_ntop(AF_INET, &address->in.sin_addr, shown, sizeof shown);
        text_addf(out, ", sin_port=htons(%u), sin_addr=inet_addr(\"%s\")", ntohs(address->in.sin_port), shown);
        return;
    case AF_INET6:
        if (size < offsetof(struct sockaddr_in6, sin6_scope_id))
            break;
        inet6_address(out, &address->in6, size);
        return;
    case AF_NETLINK:
        if (size < 12)
            break;
        netlink_address(out, address->bytes);
        return;
    }
    if (size > offsetof(struct sockaddr, sa_data)) {
        text_add(out, ", sa_data=");
        text_quote(out, address->bytes + offsetof(struct sockaddr, sa_data), size - offsetof(struct sockaddr, sa_data));
    }
}

static void sockaddr_at(struct text *out, const struct mem *mem, uint64_t addr, int size)
{
    union address address = {.bytes = {0}};
    size_t n = size > (int)sizeof address.bytes ? sizeof address.bytes : (size_t)size;

    if (!addr || size < 2 || mem_read(mem, addr, address.bytes, n) < 0) {
        sys_pointer(out, addr);
        return;
    }
    text_add(out, "{sa_family=");
    sys_name(out, families, COUNT(families), address.any.sa_family, "AF_???");
    address_fields(out, &address, n);
    text_addc(out, '}');
}

void sys_sockaddr(const struct call *call, struct text *out)
{
    sockaddr_at(out, call->mem, call_word(call, call->i), (int)call->args[call->i + 1]);
}

/* struct msghdr as that process lays it out. */
struct message {
    uint64_t name_addr, iov_addr, iov_count, control_addr, control_size;
    int name_size;
    unsigned flags;
};

static int message_read(const struct mem *mem, uint64_t addr, struct message *ret)
{
    uint64_t wide[7];
    uint32_t narrow[7];

    if (mem->word_size == 4) {
        if (mem_read(mem, addr, narrow, sizeof narrow) < 0)
            return -1;
        for (size_t i = 0; i < COUNT(wide); i++)
            wide[i] = narrow[i];
    } else if (mem_read(mem, addr, wide, sizeof wide) < 0) {
        return -1;
    }
    *ret = (struct message){.name_addr = wide[0],
                            .name_size = (int)(uint32_t)wide[1],
                            .iov_addr = wide[2],
                            .iov_count = wide[3],
                            .control_addr = wide[4],
                            .control_size = wide[5],
                            .flags = (uint32_t)wide[6]};
    return 0;
}

/* struct cmsghdr (cmsg(3)): length, level, type, data; each aligned to a word. */
static void control_item(struct text *out, const unsigned char *bytes, size_t length, size_t header)
{
    int level, type, fd;

    memcpy(&level, bytes + header - 8, 4);
    memcpy(&type, bytes + header - 4, 4);
    text_addf(out, "{cmsg_len=%zu, cmsg_level=", length);
    if (level == SOL_SOCKET)
        text_add(out, "SOL_SOCKET");
    else
        text_addf(out, "%#x", level);
    text_add(out, ", cmsg_type=");
    if (level != SOL_SOCKET || type != SCM_RIGHTS) {
        text_addf(out, level == SOL_SOCKET && type == SCM_CREDENTIALS ? "SCM_CREDENTIALS" : "%#x", type);
        text_add(out, ", cmsg_data=...}");
        return;
    }
    text_add(out, "SCM_RIGHTS, cmsg_data=[");
    for (size_t at = header; at + 4 <= length; at += 4) {
        memcpy(&fd, bytes + at, 4);
        text_addf(out, "%s%d", at > header ? ", " : "", fd);
    }
    text_add(out, "]}");
}

static void control_at(const struct call *call, struct text *out, uint64_t addr, uint64_t size)
{
    unsigned char bytes[1024];
    size_t word = call->mem->word_size, header = word + 8, at = 0;
    uint64_t length;
    uint32_t narrow;

    if (size > sizeof bytes || size < header || mem_read(call->mem, addr, bytes, size) < 0) {
        sys_pointer(out, addr);
        return;
    }
    text_addc(out, '[');
    while (size - at >= header) {
        if (word == 4) {
            memcpy(&narrow, bytes + at, 4);
            length = narrow;
        } else {
            memcpy(&length, bytes + at, 8);
        }
        if (length < header || length > size - at)
            break;
        if (at)
            text_add(out, ", ");
        control_item(out, bytes + at, length, header);
        at += (length + word - 1) / word * word;
        if (at > size)
            break;
    }
    text_addc(out, ']');
}

void sys_msghdr(const struct call *call, struct text *out)
{
    uint64_t addr = call_word(call, call->i);
    struct message message;

    if (!addr || message_read(call->mem, addr, &message) < 0) {
        sys_pointer(out, addr);
        return;
    }
    text_add(out, "{msg_name=");
    sockaddr_at(out, call->mem, message.name_addr, message.name_size);
    text_addf(out, ", msg_namelen=%d, msg_iov=", message.name_size);
    sys_iovec_at(out, call->mem, message.iov_addr, message.iov_count);
    text_addf(out, ", msg_iovlen=%llu", (unsigned long long)message.iov_count);
    if (message.control_size) {
        text_add(out, ", msg_control=");
        control_at(call, out, message.control_addr, message.control_size);
    }
    text_addf(out, ", msg_controllen=%llu, msg_flags=", (unsigned long long)message.control_size);
    sys_flags(out, msg_flags, COUNT(msg_flags), message.flags, "MSG_???");
    text_addc(out, '}');
}

void sys_msg_flags(const struct call *call, struct text *out)
{
    sys_flags(out, msg_flags, COUNT(msg_flags), (uint32_t)call->args[call->i], "MSG_???");
}

void sys_socketcall(const struct call *call, struct text out[6])
{
    sys_name(&out[0], socket_calls, COUNT(socket_calls), call_word(call, 0), "SYS_???");
    sys_pointer(&out[1], call_word(call, 1));
}

/* Only SO_ERROR is asked for (tracer/calls.c): its value is an errno. */
void sys_getsockopt(const struct call *call, struct text out[6])
{
    bool outcome = (int)call->args[1] == SOL_SOCKET && (int)call->args[2] == SO_ERROR;
    int32_t error = 0, size = 0;

    text_addf(&out[0], "%d", (int)call->args[0]);
    text_addf(&out[1], outcome ? "SOL_SOCKET" : "%d", (int)call->args[1]);
    text_addf(&out[2], outcome ? "SO_ERROR" : "%d", (int)call->args[2]);
    if (outcome && call_succeeded(call) && mem_read(call->mem, call_word(call, 3), &error, sizeof error) == 0) {
        const char *name = errno_name(error);

        if (name)
            text_addf(&out[3], "[%s]", name);
        else
            text_addf(&out[3], "[%d]", error);
    } else {
        sys_pointer(&out[3], call_word(call, 3));
    }
    if (mem_read(call->mem, call_word(call, 4), &size, sizeof size) == 0)
        text_addf(&out[4], "[%d]", (int)size);
    else
        sys_pointer(&out[4], call_word(call, 4));
}

const struct syscall_desc *syscall_unwrap(const struct syscall_desc *desc, const uint64_t args[6],
                                          const struct mem *mem, uint64_t inner[6])
{
    enum { CONNECT = 3, SENDMSG = 16, ARGUMENTS = 3 };
    uint32_t words[ARGUMENTS];

    memcpy(inner, args, 6 * sizeof inner[0]);
    if (strcmp(desc->name, "socketcall") != 0 || (args[0] != CONNECT && args[0] != SENDMSG) ||
        mem_read(mem, args[1], words, sizeof words) < 0)
        return desc;
    for (size_t i = 0; i < ARGUMENTS; i++)
        inner[i] = words[i];
    return syscall_by_name(args[0] == CONNECT ? "connect" : "sendmsg");
}

void sys_socket_family(const struct call *call, struct text *out)
{
    sys_name(out, families, COUNT(families), (uint32_t)call->args[call->i], "AF_???");
}

void sys_socket_type(const struct call *call, struct text *out)
{
    uint64_t type = (uint32_t)call->args[call->i];
    uint64_t flags = type & ~(uint64_t)TYPE_BITS;

    sys_name(out, types, COUNT(types), type & TYPE_BITS, "SOCK_???");
    if (flags) {
        text_addc(out, '|');
        sys_flags(out, type_flags, COUNT(type_flags), flags, NULL);
    }
}

const struct syscall_desc sys_network_rows[] = {
    {"accept", "fpp", FAMILY_NETWORK, NEED_RESULT, -1, -1, -1},
    {"accept4", "fppx", FAMILY_NETWORK, NEED_RESULT, -1, -1, -1},
    {"bind", "fqd", FAMILY_NETWORK, NEED_RESULT, -1, -1, -1},
    {"connect", "fqd", FAMILY_NETWORK, NEED_RESULT, -1, -1, -1},
    {"getsockopt", "6", FAMILY_NETWORK, NEED_RESULT | NEED_MEMORY_AFTER, -1, -1, -1},
    {"sendmsg", "fMw", FAMILY_OUTPUT, 0, -1, -1, -1},
    {"socket", "tyd", FAMILY_NETWORK, NEED_RESULT, -1, -1, -1},
    {"socketcall", "5", FAMILY_NETWORK, NEED_RESULT, -1, -1, -1},
    {"socketpair", "tydp", FAMILY_NETWORK, NEED_RESULT, -1, -1, -1},
};
const size_t sys_network_row_count = COUNT(sys_network_rows);
