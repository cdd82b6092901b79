/* scan_name.c - Pure. Names and numbers of SIP: headers, methods, phrases. */
#include "sip/chr.h"
#include "sip/scan_in.h"

struct name {
	const char *txt;
	uint8_t n, id;
};

#define NAME(lit, id) { lit, sizeof(lit) - 1, id }

/* Perfect hash of the names we look at, see name_hash(). A name that is added
 * may need other factors; test_scan.c looks every one up. */
static const struct name names[64] = {
	[0] = NAME("Proxy-Require", SIP_PROXY_REQUIRE),
	[1] = NAME("Refer-To", SIP_REFER_TO),
	[2] = NAME("Supported", SIP_SUPPORTED),
	[3] = NAME("Reason", SIP_REASON),
	[7] = NAME("Content-Type", SIP_CONTENT_TYPE),
	[8] = NAME("Event", SIP_EVENT),
	[9] = NAME("Service-Route", SIP_SERVICE_ROUTE),
	[13] = NAME("Call-ID", SIP_CALL_ID),
	[14] = NAME("Record-Route", SIP_RECORD_ROUTE),
	[15] = NAME("Route", SIP_ROUTE),
	[17] = NAME("Require", SIP_REQUIRE),
	[20] = NAME("WWW-Authenticate", SIP_WWW_AUTHENTICATE),
	[21] = NAME("Via", SIP_VIA),
	[22] = NAME("Retry-After", SIP_RETRY_AFTER),
	[26] = NAME("RSeq", SIP_RSEQ),
	[27] = NAME("Proxy-Authenticate", SIP_PROXY_AUTHENTICATE),
	[28] = NAME("P-Asserted-Identity", SIP_P_ASSERTED_ID),
	[30] = NAME("Warning", SIP_WARNING),
	[32] = NAME("Path", SIP_PATH),
	[33] = NAME("Expires", SIP_EXPIRES),
	[37] = NAME("Contact", SIP_CONTACT),
	[41] = NAME("User-Agent", SIP_USER_AGENT),
	[42] = NAME("RAck", SIP_RACK),
	[44] = NAME("To", SIP_TO),
	[47] = NAME("Max-Forwards", SIP_MAX_FORWARDS),
	[49] = NAME("Proxy-Authorization", SIP_PROXY_AUTHORIZATION),
	[52] = NAME("Replaces", SIP_REPLACES),
	[54] = NAME("Edgewise-Health", SIP_EDGEWISE_HEALTH),
	[56] = NAME("From", SIP_FROM),
	[57] = NAME("Content-Length", SIP_CONTENT_LENGTH),
	[60] = NAME("CSeq", SIP_CSEQ),
	[62] = NAME("Authorization", SIP_AUTHORIZATION),
};

/* compact forms, RFC 3261 7.3.3 and later */
static const uint8_t compact[26] = {
	['c' - 'a'] = SIP_CONTENT_TYPE, ['f' - 'a'] = SIP_FROM,
	['i' - 'a'] = SIP_CALL_ID,      ['k' - 'a'] = SIP_SUPPORTED,
	['l' - 'a'] = SIP_CONTENT_LENGTH, ['m' - 'a'] = SIP_CONTACT,
	['o' - 'a'] = SIP_EVENT,        ['r' - 'a'] = SIP_REFER_TO,
	['t' - 'a'] = SIP_TO,           ['v' - 'a'] = SIP_VIA,
};

static unsigned name_hash(const char *p, size_t n)
{
	unsigned first = (uint8_t)p[0] | 0x20, mid = (uint8_t)p[n / 2] | 0x20;
	unsigned last = (uint8_t)p[n - 1] | 0x20;

	return ((unsigned)n + 2 * first + 45 * last + 49 * mid) % 64;
}

/* both of n >= 2 bytes, at most 24: what a call of memcmp() costs is saved */
static inline bool same(const char *a, const char *b, size_t n)
{
	if (n < 4)
		return memcmp(a, b, 2) == 0 && a[n - 1] == b[n - 1];
	if (n < 8)
		return memcmp(a, b, 4) == 0 &&
			memcmp(a + n - 4, b + n - 4, 4) == 0;
	return memcmp(a, b, 8) == 0 && memcmp(a + n - 8, b + n - 8, 8) == 0 &&
		(n <= 16 || memcmp(a + 8, b + 8, 8) == 0);
}

uint8_t scan_hdr_id(const char *p, size_t n)
{
	const struct name *nm;

	if (n < 2) {
		unsigned i = n ? ((uint8_t)*p | 0x20u) - 'a' : 26;

		return i < 26 ? compact[i] : SIP_H_OTHER;
	}
	nm = &names[name_hash(p, n)];
	if (nm->n != n)
		return SIP_H_OTHER;
	if (same(p, nm->txt, n))
		return nm->id;
	for (size_t i = 0; i < n; i++)
		if (p[i] != nm->txt[i] && chr_low(p[i]) != chr_low(nm->txt[i]))
			return SIP_H_OTHER;
	return nm->id;
}

static const struct sl methods[SIP_M_N] = {
#define METHOD(id, txt) [id] = {txt, sizeof(txt) - 1}
	METHOD(SIP_M_OTHER, "OTHER"), METHOD(SIP_INVITE, "INVITE"),
	METHOD(SIP_ACK, "ACK"), METHOD(SIP_BYE, "BYE"),
	METHOD(SIP_CANCEL, "CANCEL"), METHOD(SIP_REGISTER, "REGISTER"),
	METHOD(SIP_OPTIONS, "OPTIONS"), METHOD(SIP_PRACK, "PRACK"),
	METHOD(SIP_UPDATE, "UPDATE"), METHOD(SIP_INFO, "INFO"),
	METHOD(SIP_REFER, "REFER"), METHOD(SIP_NOTIFY, "NOTIFY"),
	METHOD(SIP_SUBSCRIBE, "SUBSCRIBE"), METHOD(SIP_MESSAGE, "MESSAGE"),
	METHOD(SIP_PUBLISH, "PUBLISH"),
#undef METHOD
};

enum sip_method sip_method(struct sl s)
{
	for (int m = SIP_INVITE; m < SIP_M_N; m++)
		if (s.n == methods[m].n && *s.p == *methods[m].p &&
		    sl_eq(s, methods[m]))
			return m;
	return SIP_M_OTHER;
}

const char *sip_method_name(enum sip_method m)
{
	return methods[(unsigned)m < SIP_M_N ? m : SIP_M_OTHER].p;
}

const char *sip_phrase(uint16_t code)
{
	static const struct {
		uint16_t code;
		const char *txt;
	} v[] = {
		{100, "Trying"}, {180, "Ringing"},
		{181, "Call Is Being Forwarded"}, {182, "Queued"},
		{183, "Session Progress"}, {199, "Early Dialog Terminated"},
		{200, "OK"}, {202, "Accepted"}, {204, "No Notification"},
		{300, "Multiple Choices"}, {301, "Moved Permanently"},
		{302, "Moved Temporarily"}, {305, "Use Proxy"},
		{380, "Alternative Service"}, {400, "Bad Request"},
		{401, "Unauthorized"}, {402, "Payment Required"},
		{403, "Forbidden"}, {404, "Not Found"},
		{405, "Method Not Allowed"}, {406, "Not Acceptable"},
		{407, "Proxy Authentication Required"},
		{408, "Request Timeout"}, {410, "Gone"},
		{412, "Conditional Request Failed"},
		{413, "Request Entity Too Large"},
		{414, "Request-URI Too Long"}, {415, "Unsupported Media Type"},
		{416, "Unsupported URI Scheme"}, {420, "Bad Extension"},
		{421, "Extension Required"},
		{422, "Session Interval Too Small"},
		{423, "Interval Too Brief"}, {430, "Flow Failed"},
		{433, "Anonymity Disallowed"},
		{439, "First Hop Lacks Outbound Support"},
		{440, "Max-Breadth Exceeded"},
		{480, "Temporarily Unavailable"},
		{481, "Call/Transaction Does Not Exist"},
		{482, "Loop Detected"}, {483, "Too Many Hops"},
		{484, "Address Incomplete"}, {485, "Ambiguous"},
		{486, "Busy Here"}, {487, "Request Terminated"},
		{488, "Not Acceptable Here"}, {489, "Bad Event"},
		{491, "Request Pending"}, {493, "Undecipherable"},
		{494, "Security Agreement Required"},
		{500, "Server Internal Error"}, {501, "Not Implemented"},
		{502, "Bad Gateway"}, {503, "Service Unavailable"},
		{504, "Server Time-out"}, {505, "Version Not Supported"},
		{513, "Message Too Large"}, {580, "Precondition Failure"},
		{600, "Busy Everywhere"}, {603, "Decline"},
		{604, "Does Not Exist Anywhere"}, {606, "Not Acceptable"},
	};
	static const char *const class[] = {
		"Progress", "OK", "Redirection", "Client Error",
		"Server Error", "Global Failure",
	};

	for (unsigned i = 0; i < sizeof(v) / sizeof(*v); i++)
		if (v[i].code == code)
			return v[i].txt;
	return code >= 100 && code < 700 ? class[code / 100 - 1] : "Unknown";
}
