/* What a kind of receiver wants of its settings beyond what its table says. */
#include "notify/notifier.h"

/* `threading:` of a mail, which is kept as it stands. */
struct threading {
	bool enabled;
	int by_date;
};

void config_check_mail(struct conf_reader *rd, struct notifier_settings *s, const struct conf_node *entry)
{
	static const char *const dates[] = {"daily", "none", NULL};
	static const struct conf_key keys[] = {
	    CONF_KEY(struct threading, "enabled", enabled, conf_bool, "false", CONF_RELOAD, "Mails of a group are one thread."),
	    CONF_KEY_ARG(struct threading, "thread_by_date", by_date, conf_enum, "daily", CONF_RELOAD, "How long one lasts.", dates),
	};
	static const struct conf_table table = {keys, ARRAY_LEN(keys), sizeof(struct threading), NULL, NULL};
	struct threading t = {0};

	(void)s;
	if (conf_get(entry, "threading") != NULL)
		conf_read(rd, &table, conf_get(entry, "threading"), &t);
}

static struct str plain_of(const struct notifier_settings *s, const char *name)
{
	for (size_t i = 0; i < s->notifier->n_settings; i++)
		if (strcmp(s->notifier->settings[i].name, name) == 0)
			return s->v[i].plain;
	return STR("");
}

struct thread_header {                  /* threaded_options: of Slack, and what is in it; kept as they stand */
	struct str resolve_color;
};

struct thread_options {
	struct str resolve_emoji;
	bool use_header;
	struct thread_header *header;
};

static void check_thread(struct conf_reader *rd, const struct conf_node *node, bool threaded)
{
	static const struct conf_key header_keys[] = {
	    CONF_KEY(struct thread_header, "resolve_color", resolve_color, conf_str, NULL, CONF_RELOAD, "Its color at the end."),
	};
	static const struct conf_table header = {header_keys, ARRAY_LEN(header_keys), sizeof(struct thread_header), NULL, NULL};
	static const struct conf_key keys[] = {
	    CONF_KEY(struct thread_options, "resolve_emoji", resolve_emoji, conf_str, NULL, CONF_RELOAD, "What its head gets at the end."),
	    CONF_KEY(struct thread_options, "use_summary_header", use_header, conf_bool, "true", CONF_RELOAD,
		     "Whether its head is a summary."),
	    CONF_KEY_ARG(struct thread_options, "summary_header", header, conf_sub_ptr, NULL, CONF_RELOAD, "That summary.", &header),
	};
	static const struct conf_table table = {keys, ARRAY_LEN(keys), sizeof(struct thread_options), NULL, NULL};
	struct thread_options o = {0};

	if (node == NULL || node->kind == CONF_NULL)
		return;
	if (!threaded)
		conf_error(rd->report, node, "threaded_options is there and message_strategy is not thread: write message_strategy: thread");
	else if (conf_read(rd, &table, node, &o) && o.header != NULL && !o.use_header)
		conf_error(rd->report, node, "summary_header is there and use_summary_header is false: write one of them");
}

/* Only who posts with a token is told what it posted. */
void config_check_slack(struct conf_reader *rd, struct notifier_settings *s, const struct conf_node *entry)
{
	enum { NEW, UPDATE, THREAD };
	static const char *const strategies[] = {"new", "update", "thread", NULL};
	const struct conf_key key = {.name = "message_strategy", .arg = strategies};
	const struct conf_node *node = conf_get(entry, "message_strategy");
	bool update = str_eq(plain_of(s, "update_message"), STR("true"));
	struct str url = plain_of(s, "api_url");
	int strategy = update ? UPDATE : NEW;

	if (node != NULL && conf_enum(rd, &key, node, &strategy) && update && strategy != UPDATE)
		conf_error(rd->report, node, "update_message is true and message_strategy is %s: write one of them", strategies[strategy]);
	if (strategy != NEW && url.n > 0 && !str_ends(url, STR("/chat.postMessage")))
		conf_error(rd->report, entry, "messages can only be updated or answered with a bot's token: write app_token, or an api_url of "
					      "chat.postMessage");
	check_thread(rd, conf_get(entry, "threaded_options"), strategy == THREAD);
}

/* Whether a file of <templates> has another text of this name than ours. */
static bool is_redefined(const struct notify_config *c, struct str name)
{
	for (size_t i = 1; i < c->n_templates; i++)     /* the first are ours */
		if (template_defines(c->templates[i], name))
			return true;
	return false;
}

static struct setting *setting_of(struct notifier_settings *s, const char *name)
{
	size_t i = 0;

	while (strcmp(s->notifier->settings[i].name, name) != 0)
		i++;
	return &s->v[i];
}

/* Our own text is HTML; who wants none of it gets the plain one, which is no markup of any kind. */
void config_check_telegram(struct conf_reader *rd, struct notifier_settings *s, const struct conf_node *entry)
{
	static const char *const modes[] = {"HTML", "Markdown", "MarkdownV2", "", NULL};
	const struct conf_key key = {.name = "parse_mode", .arg = modes};
	const struct conf_node *node = conf_get(entry, "parse_mode");
	struct setting *message = setting_of(s, "message"), *mode = setting_of(s, "parse_mode");
	int ignored;

	if (node != NULL && !conf_enum(rd, &key, node, &ignored))
		return;
	if (message->given || str_eq(mode->plain, STR("HTML")) || is_redefined(rd->user, STR("telegram.default.message")))
		return;
	mode->plain = STR("");
	message->text = message->fallback = config_template(rd, NULL, STR("message"), STR("{{ template \"__text_alerts\" . }}"));
}
