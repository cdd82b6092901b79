/* db_judge.c - Pure. */
#include "db/db_judge.h"

struct sign {
	const char *text;
	enum db_err err;
};

static const struct sign sqlite[] = {
	{ "is locked", DB_LOCKED },
	{ "disk is full", DB_FULL },
	{ "readonly database", DB_DENIED },
	{ "no such table", DB_SCHEMA },
	{ "no such column", DB_SCHEMA },
	{ "no column named", DB_SCHEMA },
	{ "constraint failed", DB_DATA },
	{ "too big", DB_DATA },
	{ "unable to open", DB_DOWN },
	{ "disk I/O error", DB_DOWN },
	{ "malformed", DB_DOWN },
	{ "not a database", DB_DOWN },
	{ "out of memory", DB_MEMORY },
	{ "error code: 13", DB_FULL },
	{ "error code: 5", DB_LOCKED },
	{ "error code: 6", DB_LOCKED },
};

static const struct sign postgresql[] = {
	{ "statement timeout", DB_TIMEOUT },
	{ "timeout expired", DB_TIMEOUT },
	{ "lock timeout", DB_LOCKED },
	{ "deadlock", DB_LOCKED },
	{ "could not serialize", DB_LOCKED },
	{ "No space left", DB_FULL },
	{ "authentication failed", DB_DENIED },
	{ "permission denied", DB_DENIED },
	{ "no password supplied", DB_DENIED },
	{ "pg_hba.conf", DB_DENIED },
	{ "read-only transaction", DB_DENIED },
	{ "role \"", DB_DENIED },
	{ "too long for type", DB_DATA },
	{ "violates", DB_DATA },
	{ "invalid byte sequence", DB_DATA },
	{ "has no equivalent in encoding", DB_DATA },
	{ "out of range", DB_DATA },
	{ "database \"", DB_SCHEMA },
	{ "does not exist", DB_SCHEMA },
	{ "onnect", DB_DOWN },            /* connection, Connect, connect */
	{ "is starting up", DB_DOWN },
	{ "is shutting down", DB_DOWN },
	{ "recovery mode", DB_DOWN },
	{ "too many clients", DB_DOWN },
};

static const struct sign mysql[] = {
	{ "max_statement_time", DB_TIMEOUT },
	{ "system error: 110", DB_TIMEOUT },      /* ETIMEDOUT */
	{ "Lock wait timeout", DB_LOCKED },
	{ "Deadlock found", DB_LOCKED },
	{ "since last read in table", DB_LOCKED },
	{ "is full", DB_FULL },
	{ "No space left", DB_FULL },
	{ "Disk full", DB_FULL },
	{ "rror writing file", DB_FULL },
	{ "ccess denied", DB_DENIED },
	{ "command denied", DB_DENIED },
	{ "read-only", DB_DENIED },
	{ "is not allowed to connect", DB_DENIED },
	{ "Data too long", DB_DATA },
	{ "Incorrect string value", DB_DATA },
	{ "Out of range value", DB_DATA },
	{ "Duplicate entry", DB_DATA },
	{ "max_allowed_packet", DB_DATA },
	{ "Unknown database", DB_SCHEMA },
	{ "Unknown column", DB_SCHEMA },
	{ "doesn't exist", DB_SCHEMA },
	{ "onnect", DB_DOWN },
	{ "gone away", DB_DOWN },
	{ "shutdown in progress", DB_DOWN },
	{ "ommunication packet", DB_DOWN },
	{ "handshake", DB_DOWN },
	/* its library connected again and went on */
	{ "Unknown prepared statement", DB_DOWN },
};

static enum db_err look(const struct sign *s, size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++) {
		if (strstr(text, s[i].text))
			return s[i].err;
	}
	return DB_OTHER;
}

#define LOOK(t, text) look(t, sizeof(t) / sizeof((t)[0]), text)

enum db_err db_judge(enum db_kind kind, const char *text)
{
	if (strstr(text, "not supported"))      /* libzdb without this database */
		return DB_NONE;
	switch (kind) {
	case DB_SQLITE:
		return LOOK(sqlite, text);
	case DB_POSTGRESQL:
		return LOOK(postgresql, text);
	case DB_MYSQL:
		return LOOK(mysql, text);
	}
	return DB_OTHER;
}

const char *db_err_name(enum db_err e)
{
	static const char *const names[DB_ERR_N] = {
		"ok", "down", "timeout", "locked", "denied", "full", "schema",
		"data", "none", "memory", "other"
	};

	return (unsigned)e < DB_ERR_N ? names[e] : "other";
}
