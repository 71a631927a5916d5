/* Receivers that are one HTTP request: what they are is a row of data in notifiers.c. Settings are templates that become texts
 * when a message is made; the texts are kept in the outbox. Address, headers and body are made of them when it is sent, with
 * the secrets, which are therefore never on disk. */
#ifndef NOTIFY_NOTIFIER_H
#define NOTIFY_NOTIFIER_H

#include "notify/receivers/receiver.h"

struct json_t;
struct value_rule;

enum {                                  /* setting_row.flags; without one it is a template */
	SETTING_SECRET = 1,             /* taken as it is, when it is sent; "<name>_file" too. Where it goes, unless ACCESS */
	SETTING_TREE = 2,               /* a map or list with templates at its leaves; a row of Alertmanager's that is a map of texts */
	SETTING_PLAIN = 4,              /* taken as it is: no template */
	SETTING_FILE = 8,               /* of LATE: "<name>_file" too */
	SETTING_HIDDEN = 16,            /* no setting: only its default */
	SETTING_ADDRESS = 32,           /* part of where it goes */
	SETTING_REFUSED = 64,           /* known and not honoured, unless it says false */
	SETTING_HTML = 128,             /* a template of HTML */
	SETTING_LATE = 256,             /* as a secret, but anybody may know it */
	SETTING_ACCESS = 512,           /* of the two before: lets one in, and is no part of where it goes */
	SETTING_JSON = 1024,            /* a tree whose numbers are numbers, and whose texts are what JSON they hold */
};

struct setting_row {
	const char *name;
	const char *fallback;           /* as one would write it; NULL: empty */
	unsigned flags;
	const char *global;             /* the key of global: it is taken from when it is not set; NULL: none */
	const struct value_rule *value; /* NULL: a text */
};

#define NOTIFIER_MAX_SETTINGS 40
#define NOTIFIER_MAX_HEADERS 3
#define NOTIFIER_MAX_MORE 2

struct notifier_header {
	const char *name, *value;       /* <value> a template; sent when it is not empty */
};

struct notifier_request {
	const char *method, *url, *body;        /* templates; not made when <url> is empty */
	bool optional;                  /* a failure of it is only logged */
};

struct notifier {
	struct receiver_kind kind;
	const char *list;               /* the key under a receiver */
	const struct setting_row *settings;
	size_t n_settings;
	const char *needs;              /* settings that must be there, separated by spaces; a|b: one of them */
	const char *one_of;             /* settings of which at most one may be there; NULL: none */
	const char *url, *body;         /* templates; see notifier_funcs.c for what they may call */
	struct notifier_header headers[NOTIFIER_MAX_HEADERS];
	struct notifier_request more[NOTIFIER_MAX_MORE];        /* behind the first, each when the one before was taken */
	/* A template that is true when the messages of an episode belong to one, which is edited or answered: its answer's "ts"
	 * and "channel" are kept, and are .remote and .remote_channel of the next; NULL: never. */
	const char *edits;
	void (*check)(struct conf_reader *, struct notifier_settings *, const struct conf_node *entry); /* NULL: nothing to */
	const char *content_type;       /* NULL: application/json */
	const char *html;               /* a template that is true when texts are HTML; NULL: never */
	bool is_mail;                   /* no <url> and <body>; tls_config instead of http_config */
	bool wants_token;               /* its http_config must have an authorization */
	bool signs_aws;                 /* sigv4: beside the settings */
	bool wants_webhook;             /* .webhook holds what a webhook would get */
	size_t max_bytes;               /* of alerts in one message; 0: any number */
};

extern const struct notifier notifiers[];
extern const size_t notifier_count;

struct setting_tree {                   /* a value of YAML, templates at its leaves */
	enum conf_kind kind;
	struct template *text;          /* of a scalar; NULL: <plain> as it is */
	bool json;                      /* <text> may make a list or an object */
	struct str plain;
	struct setting_tree *items;     /* of a list, or the values of a map */
	struct str *names;              /* of a map */
	size_t n;
};

struct setting {
	struct str plain;               /* secrets, plain ones */
	bool given;                     /* by the entry or by global, and not empty; of true and false: true */
	struct template *text, *fallback;
	const struct setting_tree *tree;
};

struct notifier_settings {              /* of an integration */
	const struct notifier *notifier;
	struct setting v[NOTIFIER_MAX_SETTINGS];
	struct template *url, *body, *headers[NOTIFIER_MAX_HEADERS], *html, *edits;
	struct template *more_urls[NOTIFIER_MAX_MORE], *more_bodies[NOTIFIER_MAX_MORE];
};

void notifier_render(const struct notice *, struct buf *out);
void notifier_put_tree(struct json_out *, const struct notice *, const struct setting_tree *);
enum deliver_next notifier_advance(struct delivery *, const struct http_answer *);
enum deliver_next email_advance(struct delivery *, const struct http_answer *);         /* email.c */
enum deliver_next wechat_advance(struct delivery *, const struct http_answer *);        /* wechat.c */
enum deliver_next jira_advance(struct delivery *, const struct http_answer *);          /* jira.c */
/* A setting of the message under way: as it was rendered (<texts>: "settings" of the payload), or as it is configured. */
struct str notifier_setting(const struct delivery *, const struct json_t *texts, const char *name);
void notifier_secrets(const struct integration *, struct str *out, size_t *n);
extern const struct template_env notifier_template_env;

/* config_notifier.c: tables for the rows above, and from what is written to what is used. */
struct notifier_file {                  /* an entry as written */
	bool send_resolved;
	struct connection_settings *http;
	struct connection_settings tls;       /* of a mail; only that is set */
	int64_t timeout_ms;
	struct aws_settings aws;
	struct str texts[NOTIFIER_MAX_SETTINGS];
	const struct conf_node *nodes[NOTIFIER_MAX_SETTINGS];
};
const struct conf_table *config_notifier_table(struct conf_reader *, const struct notifier *, const struct conf_table *http,
					       const struct conf_table *tls);
void config_make_notifier(struct conf_reader *, const struct notifier *, const struct notifier_file *, const struct conf_node *entry,
			  const struct conf_node *global, struct integration *in);
/* A value of YAML, which was checked by its <rule>; <flags>: of its row. */
struct setting_tree *config_setting_tree(struct conf_reader *, const char *name, const struct value_rule *, const struct conf_node *,
					 unsigned flags);
/* config_notifier_checks.c */
void config_check_slack(struct conf_reader *, struct notifier_settings *, const struct conf_node *entry);
void config_check_telegram(struct conf_reader *, struct notifier_settings *, const struct conf_node *entry);
/* <global> with its settings of receivers checked: as they are used, those of a "<key>_file" under <key>. */
const struct conf_node *config_read_globals(struct conf_reader *, const struct conf_node *global);

#endif
