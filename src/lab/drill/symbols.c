/**
 * Names of this host's headers. What a name is for stands in the headers; here they are listed.
 */
#include "symbols.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "core/base.h"

struct symbol {
    const char *name;
    int64_t value;
};

#define SYMBOL(name)                                                                               \
    {                                                                                              \
#name, (int64_t)(name)                                                                     \
    }

static const struct symbol sockets[] = {
    {"NULL", 0},
    SYMBOL(AF_UNSPEC),
    SYMBOL(AF_INET),
    SYMBOL(AF_INET6),
    SYMBOL(PF_INET),
    SYMBOL(PF_INET6),
    SYMBOL(SOCK_STREAM),
    SYMBOL(SOCK_DGRAM),
    SYMBOL(SOCK_NONBLOCK),
    SYMBOL(SOCK_CLOEXEC),
    SYMBOL(IPPROTO_IP),
    SYMBOL(IPPROTO_IPV6),
    SYMBOL(IPPROTO_TCP),
    SYMBOL(IPPROTO_UDP),
    SYMBOL(IPPROTO_ICMP),
    SYMBOL(IPPROTO_ICMPV6),
    SYMBOL(SOMAXCONN),
    SYMBOL(INADDR_ANY),
    SYMBOL(INADDR_LOOPBACK),
    SYMBOL(SHUT_RD),
    SYMBOL(SHUT_WR),
    SYMBOL(SHUT_RDWR),
    SYMBOL(MSG_OOB),
    SYMBOL(MSG_PEEK),
    SYMBOL(MSG_DONTROUTE),
    SYMBOL(MSG_CTRUNC),
    SYMBOL(MSG_TRUNC),
    SYMBOL(MSG_DONTWAIT),
    SYMBOL(MSG_EOR),
    SYMBOL(MSG_WAITALL),
    SYMBOL(MSG_ERRQUEUE),
    SYMBOL(MSG_NOSIGNAL),
    SYMBOL(MSG_MORE),
    SYMBOL(MSG_FASTOPEN),
    SYMBOL(MSG_ZEROCOPY),
    SYMBOL(SOL_SOCKET),
    SYMBOL(SOL_IP),
    SYMBOL(SOL_IPV6),
    SYMBOL(SOL_TCP),
    SYMBOL(SO_DEBUG),
    SYMBOL(SO_REUSEADDR),
    SYMBOL(SO_REUSEPORT),
    SYMBOL(SO_TYPE),
    SYMBOL(SO_ERROR),
    SYMBOL(SO_DONTROUTE),
    SYMBOL(SO_BROADCAST),
    SYMBOL(SO_SNDBUF),
    SYMBOL(SO_RCVBUF),
    SYMBOL(SO_SNDBUFFORCE),
    SYMBOL(SO_RCVBUFFORCE),
    SYMBOL(SO_KEEPALIVE),
    SYMBOL(SO_OOBINLINE),
    SYMBOL(SO_PRIORITY),
    SYMBOL(SO_LINGER),
    SYMBOL(SO_RCVLOWAT),
    SYMBOL(SO_SNDLOWAT),
    SYMBOL(SO_RCVTIMEO),
    SYMBOL(SO_SNDTIMEO),
    SYMBOL(SO_TIMESTAMP),
    SYMBOL(SO_ACCEPTCONN),
    SYMBOL(SO_MARK),
    SYMBOL(SO_TIMESTAMPING),
    SYMBOL(SO_PROTOCOL),
    SYMBOL(SO_DOMAIN),
    SYMBOL(SO_BUSY_POLL),
    SYMBOL(SO_MAX_PACING_RATE),
    SYMBOL(SO_MEMINFO),
    SYMBOL(SO_ZEROCOPY),
    SYMBOL(SCM_RIGHTS),
    SYMBOL(SCM_TIMESTAMP),
    SYMBOL(SCM_TIMESTAMPING),
    SYMBOL(IP_TOS),
    SYMBOL(IP_TTL),
    SYMBOL(IP_MTU),
    SYMBOL(IP_MTU_DISCOVER),
    SYMBOL(IP_RECVERR),
    SYMBOL(IP_PMTUDISC_DONT),
    SYMBOL(IP_PMTUDISC_WANT),
    SYMBOL(IP_PMTUDISC_DO),
    SYMBOL(IP_PMTUDISC_PROBE),
    SYMBOL(IP_BIND_ADDRESS_NO_PORT),
    SYMBOL(IP_FREEBIND),
    SYMBOL(IP_RECVTOS),
    SYMBOL(IP_RECVTTL),
    SYMBOL(IP_MINTTL),
    SYMBOL(IP_TRANSPARENT),
    SYMBOL(IPV6_TCLASS),
    SYMBOL(IPV6_UNICAST_HOPS),
    SYMBOL(IPV6_V6ONLY),
    SYMBOL(IPV6_MTU),
    SYMBOL(IPV6_MTU_DISCOVER),
    SYMBOL(IPV6_RECVERR),
    SYMBOL(IPV6_RECVTCLASS),
    SYMBOL(IPV6_RECVHOPLIMIT),
    SYMBOL(IPV6_PMTUDISC_DONT),
    SYMBOL(IPV6_PMTUDISC_WANT),
    SYMBOL(IPV6_PMTUDISC_DO),
    SYMBOL(IPV6_PMTUDISC_PROBE),
    SYMBOL(SO_EE_ORIGIN_NONE),
    SYMBOL(SO_EE_ORIGIN_LOCAL),
    SYMBOL(SO_EE_ORIGIN_ICMP),
    SYMBOL(SO_EE_ORIGIN_ICMP6),
};

static const struct symbol tcp[] = {
    SYMBOL(TCP_NODELAY),
    SYMBOL(TCP_MAXSEG),
    SYMBOL(TCP_CORK),
    SYMBOL(TCP_KEEPIDLE),
    SYMBOL(TCP_KEEPINTVL),
    SYMBOL(TCP_KEEPCNT),
    SYMBOL(TCP_SYNCNT),
    SYMBOL(TCP_LINGER2),
    SYMBOL(TCP_DEFER_ACCEPT),
    SYMBOL(TCP_WINDOW_CLAMP),
    SYMBOL(TCP_INFO),
    SYMBOL(TCP_QUICKACK),
    SYMBOL(TCP_CONGESTION),
    SYMBOL(TCP_MD5SIG),
    SYMBOL(TCP_THIN_LINEAR_TIMEOUTS),
    SYMBOL(TCP_THIN_DUPACK),
    SYMBOL(TCP_USER_TIMEOUT),
    SYMBOL(TCP_REPAIR),
    SYMBOL(TCP_FASTOPEN),
    SYMBOL(TCP_TIMESTAMP),
    SYMBOL(TCP_NOTSENT_LOWAT),
    SYMBOL(TCP_CC_INFO),
    SYMBOL(TCP_SAVE_SYN),
    SYMBOL(TCP_SAVED_SYN),
    SYMBOL(TCP_FASTOPEN_CONNECT),
    SYMBOL(TCP_FASTOPEN_KEY),
    SYMBOL(TCP_FASTOPEN_NO_COOKIE),
    SYMBOL(TCP_INQ),
    SYMBOL(TCP_ESTABLISHED),
    SYMBOL(TCP_SYN_SENT),
    SYMBOL(TCP_SYN_RECV),
    SYMBOL(TCP_FIN_WAIT1),
    SYMBOL(TCP_FIN_WAIT2),
    SYMBOL(TCP_TIME_WAIT),
    SYMBOL(TCP_CLOSE),
    SYMBOL(TCP_CLOSE_WAIT),
    SYMBOL(TCP_LAST_ACK),
    SYMBOL(TCP_LISTEN),
    SYMBOL(TCP_CLOSING),
    SYMBOL(TCP_CA_Open),
    SYMBOL(TCP_CA_Disorder),
    SYMBOL(TCP_CA_CWR),
    SYMBOL(TCP_CA_Recovery),
    SYMBOL(TCP_CA_Loss),
    SYMBOL(TCPI_OPT_TIMESTAMPS),
    SYMBOL(TCPI_OPT_SACK),
    SYMBOL(TCPI_OPT_WSCALE),
    SYMBOL(TCPI_OPT_ECN),
    SYMBOL(TCPI_OPT_ECN_SEEN),
    SYMBOL(TCPI_OPT_SYN_DATA),
    /* The states by their names elsewhere: scripts for other systems ask with these. */
    {"TCPI_CLOSED", TCP_CLOSE},
    {"TCPI_LISTEN", TCP_LISTEN},
    {"TCPI_SYN_SENT", TCP_SYN_SENT},
    {"TCPI_SYN_RECEIVED", TCP_SYN_RECV},
    {"TCPI_ESTABLISHED", TCP_ESTABLISHED},
    {"TCPI_CLOSE_WAIT", TCP_CLOSE_WAIT},
    {"TCPI_FIN_WAIT_1", TCP_FIN_WAIT1},
    {"TCPI_FIN_WAIT_2", TCP_FIN_WAIT2},
    {"TCPI_CLOSING", TCP_CLOSING},
    {"TCPI_LAST_ACK", TCP_LAST_ACK},
    {"TCPI_TIME_WAIT", TCP_TIME_WAIT},
};

static const struct symbol files[] = {
    SYMBOL(O_RDONLY),      SYMBOL(O_WRONLY),       SYMBOL(O_RDWR),        SYMBOL(O_NONBLOCK),
    SYMBOL(O_CREAT),       SYMBOL(O_TRUNC),        SYMBOL(O_APPEND),      SYMBOL(O_CLOEXEC),
    SYMBOL(F_DUPFD),       SYMBOL(F_GETFD),        SYMBOL(F_SETFD),       SYMBOL(F_GETFL),
    SYMBOL(F_SETFL),       SYMBOL(F_GETOWN),       SYMBOL(F_SETOWN),      SYMBOL(FD_CLOEXEC),
    SYMBOL(FIONREAD),      SYMBOL(FIONBIO),        SYMBOL(SIOCINQ),       SYMBOL(SIOCOUTQ),
    SYMBOL(SIOCATMARK),    SYMBOL(SIOCOUTQNSD),    SYMBOL(POLLIN),        SYMBOL(POLLPRI),
    SYMBOL(POLLOUT),       SYMBOL(POLLERR),        SYMBOL(POLLHUP),       SYMBOL(POLLNVAL),
    SYMBOL(POLLRDNORM),    SYMBOL(POLLRDBAND),     SYMBOL(POLLWRNORM),    SYMBOL(POLLWRBAND),
    SYMBOL(POLLRDHUP),     SYMBOL(EPOLLIN),        SYMBOL(EPOLLPRI),      SYMBOL(EPOLLOUT),
    SYMBOL(EPOLLERR),      SYMBOL(EPOLLHUP),       SYMBOL(EPOLLRDNORM),   SYMBOL(EPOLLRDBAND),
    SYMBOL(EPOLLWRNORM),   SYMBOL(EPOLLWRBAND),    SYMBOL(EPOLLRDHUP),    SYMBOL(EPOLLONESHOT),
    SYMBOL(EPOLLET),       SYMBOL(EPOLLEXCLUSIVE), SYMBOL(EPOLL_CTL_ADD), SYMBOL(EPOLL_CTL_MOD),
    SYMBOL(EPOLL_CTL_DEL), SYMBOL(EPOLL_CLOEXEC),
};

/** The first name of a number is the one that it is told by. */
static const struct symbol errors[] = {
    SYMBOL(EPERM),         SYMBOL(ENOENT),          SYMBOL(EINTR),           SYMBOL(EIO),
    SYMBOL(ENXIO),         SYMBOL(EBADF),           SYMBOL(EAGAIN),          SYMBOL(EWOULDBLOCK),
    SYMBOL(ENOMEM),        SYMBOL(EACCES),          SYMBOL(EFAULT),          SYMBOL(EBUSY),
    SYMBOL(EEXIST),        SYMBOL(ENODEV),          SYMBOL(ENOTDIR),         SYMBOL(EISDIR),
    SYMBOL(EINVAL),        SYMBOL(ENFILE),          SYMBOL(EMFILE),          SYMBOL(ENOTTY),
    SYMBOL(EFBIG),         SYMBOL(ENOSPC),          SYMBOL(ESPIPE),          SYMBOL(EPIPE),
    SYMBOL(EDOM),          SYMBOL(ERANGE),          SYMBOL(ENAMETOOLONG),    SYMBOL(ENOSYS),
    SYMBOL(ENOMSG),        SYMBOL(EPROTO),          SYMBOL(EOVERFLOW),       SYMBOL(EILSEQ),
    SYMBOL(ENOTSOCK),      SYMBOL(EDESTADDRREQ),    SYMBOL(EMSGSIZE),        SYMBOL(EPROTOTYPE),
    SYMBOL(ENOPROTOOPT),   SYMBOL(EPROTONOSUPPORT), SYMBOL(ESOCKTNOSUPPORT), SYMBOL(EOPNOTSUPP),
    SYMBOL(ENOTSUP),       SYMBOL(EPFNOSUPPORT),    SYMBOL(EAFNOSUPPORT),    SYMBOL(EADDRINUSE),
    SYMBOL(EADDRNOTAVAIL), SYMBOL(ENETDOWN),        SYMBOL(ENETUNREACH),     SYMBOL(ENETRESET),
    SYMBOL(ECONNABORTED),  SYMBOL(ECONNRESET),      SYMBOL(ENOBUFS),         SYMBOL(EISCONN),
    SYMBOL(ENOTCONN),      SYMBOL(ESHUTDOWN),       SYMBOL(ETOOMANYREFS),    SYMBOL(ETIMEDOUT),
    SYMBOL(ECONNREFUSED),  SYMBOL(EHOSTDOWN),       SYMBOL(EHOSTUNREACH),    SYMBOL(EALREADY),
    SYMBOL(EINPROGRESS),   SYMBOL(EDQUOT),          SYMBOL(ECANCELED),       SYMBOL(E2BIG),
    SYMBOL(EBADMSG),       SYMBOL(ECHILD),          SYMBOL(ECOMM),           SYMBOL(EDEADLK),
    SYMBOL(EIDRM),         SYMBOL(ELOOP),           SYMBOL(EMLINK),          SYMBOL(EMULTIHOP),
    SYMBOL(ENOEXEC),       SYMBOL(ENOLCK),          SYMBOL(ENOLINK),         SYMBOL(ENONET),
    SYMBOL(ENOSR),         SYMBOL(ENOSTR),          SYMBOL(ENOTBLK),         SYMBOL(ENOTEMPTY),
    SYMBOL(ENOTUNIQ),      SYMBOL(ENODATA),         SYMBOL(EREMCHG),         SYMBOL(EREMOTE),
    SYMBOL(EROFS),         SYMBOL(ESRCH),           SYMBOL(ESTALE),          SYMBOL(ETIME),
    SYMBOL(ETXTBSY),       SYMBOL(EUSERS),          SYMBOL(EXDEV),
};

/** Of other systems, and of what is known and not supported. */
static const char *const elsewhere[] = {
    "SO_USELOOPBACK",
    "SO_REUSEPORT_LB",
    "SO_NOSIGPIPE",
    "SO_ACCEPTFILTER",
    "SO_BINTIME",
    "SO_LABEL",
    "SO_PEERLABEL",
    "SO_LISTENQLIMIT",
    "SO_LISTENQLEN",
    "SO_LISTENINCQLEN",
    "SO_SETFIB",
    "SO_USER_COOKIE",
    "SO_TS_CLOCK",
    "TCP_NOPUSH",
    "TCP_NOOPT",
    "TCP_KEEPINIT",
    "TCP_CCALGOOPT",
    "TCP_FUNCTION_BLK",
    "TCP_DELACK",
    "TCP_PCAP_OUT",
    "TCP_PCAP_IN",
    "TCP_MAXUNACKTIME",
    "TCP_REMOTE_UDP_ENCAPS_PORT",
    "TCP_CONNECTIONTIMEOUT",
    "TCP_SENDMOREACKS",
    "IP_PORTRANGE",
    "IP_BINDANY",
    "IP_DONTFRAG",
    "IPV6_DONTFRAG",
    "IPV6_USE_MIN_MTU",
    "IPV6_BINDANY",
    "IPV6_BINDV6ONLY",
    "MSG_EOF",
    "MSG_NBIO",
    "MSG_NOTIFICATION",
    "MSG_SOCALLBCK",
    "O_EXLOCK",
    "O_SHLOCK",
    "O_ASYNC",
    "O_FSYNC",
    "EDOOFUS",
    "ECAPMODE",
    "ENOTCAPABLE",
    "EBADRPC",
    "EFTYPE",
    "EAUTH",
    "ENEEDAUTH",
    "EPROCLIM",
    "ENOATTR",
    "ERPCMISMATCH",
    "EPROGUNAVAIL",
    "EPROGMISMATCH",
    "EPROCUNAVAIL",
    "IPPROTO_SCTP",
    "IPPROTO_UDPLITE",
    "SOCK_SEQPACKET",
    "SOCK_RAW",
    "SOL_UDP",
    "SOL_SCTP",
    "SO_ATTACH_FILTER",
    "SO_DETACH_FILTER",
    "SO_TIMESTAMPNS",
    "SO_PEEK_OFF",
    "SO_NOFCS",
    "SO_INCOMING_CPU",
    "SO_INCOMING_NAPI_ID",
    "SO_TXTIME",
    "SO_RXQ_OVFL",
    "SO_WIFI_STATUS",
    "SO_PASSCRED",
    "SO_PASSSEC",
    "SO_PEERCRED",
    "SO_PEERNAME",
    "SO_PEERSEC",
    "SO_BINDTODEVICE",
    "SO_BSDCOMPAT",
    "SO_NO_CHECK",
    "SO_LOCK_FILTER",
    "SO_SELECT_ERR_QUEUE",
    "SO_COOKIE",
    "TCP_REPAIR_QUEUE",
    "TCP_QUEUE_SEQ",
    "TCP_REPAIR_OPTIONS",
    "TCP_REPAIR_WINDOW",
    "TCP_ULP",
    "TCP_MD5SIG_EXT",
    "TCP_ZEROCOPY_RECEIVE",
    "TCP_CM_INQ",
    "TCP_TX_DELAY",
    "TCP_COOKIE_TRANSACTIONS",
    "MSG_TRYHARD",
    "MSG_PROXY",
    "MSG_FIN",
    "MSG_SYN",
    "MSG_CONFIRM",
    "MSG_RST",
    "MSG_CMSG_CLOEXEC",
    "MSG_PROBE",
    "MSG_BATCH",
    "IP_PKTINFO",
    "IP_OPTIONS",
    "IP_HDRINCL",
    "IP_RECVOPTS",
    "IP_RETOPTS",
    "IP_MULTICAST_IF",
    "IP_MULTICAST_TTL",
    "IP_MULTICAST_LOOP",
    "IPV6_PKTINFO",
    "IPV6_RECVPKTINFO",
    "IPV6_FLOWINFO",
    "IPV6_FLOWLABEL_MGR",
    "IPV6_HOPLIMIT",
    "IPV6_MULTICAST_HOPS",
    "IPV6_ADDRFORM",
    "IPV6_AUTOFLOWLABEL",
};

/** Beginnings of whole families of such names. */
static const char *const families[] = {
    "BPF_",      "CAP_",    "SCM_",      "SCTP_",   "SO_EE_", "SOF_TIMESTAMPING_",
    "SPLICE_F_", "TCP_LOG", "TCP_RACK_", "TCP_BBR_"};

static bool find(const struct symbol *symbols, size_t count, const char *name, int64_t *value)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(symbols[i].name, name) == 0) {
            *value = symbols[i].value;
            return true;
        }
    }
    return false;
}

bool hf_symbol_value(const char *name, int64_t *value)
{
    return find(sockets, HF_COUNT_OF(sockets), name, value) ||
           find(tcp, HF_COUNT_OF(tcp), name, value) ||
           find(files, HF_COUNT_OF(files), name, value) ||
           find(errors, HF_COUNT_OF(errors), name, value);
}

bool hf_symbol_is_elsewhere(const char *name)
{
    for (size_t i = 0; i < HF_COUNT_OF(elsewhere); i++)
        if (strcmp(elsewhere[i], name) == 0)
            return true;
    for (size_t i = 0; i < HF_COUNT_OF(families); i++)
        if (strncmp(families[i], name, strlen(families[i])) == 0)
            return true;
    return false;
}

const char *hf_symbol_name(size_t n)
{
    static const struct {
        const struct symbol *symbols;
        size_t count;
    } tables[] = {{sockets, HF_COUNT_OF(sockets)},
                  {tcp, HF_COUNT_OF(tcp)},
                  {files, HF_COUNT_OF(files)},
                  {errors, HF_COUNT_OF(errors)}};
    for (size_t i = 0; i < HF_COUNT_OF(tables); i++) {
        if (n < tables[i].count)
            return tables[i].symbols[n].name;
        n -= tables[i].count;
    }
    return NULL;
}

const char *hf_errno_name(int error)
{
    for (size_t i = 0; i < HF_COUNT_OF(errors); i++)
        if (errors[i].value == error)
            return errors[i].name;
    return NULL;
}
