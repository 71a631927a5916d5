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

/* Only who posts with a token is told what it posted. */
void config_check_slack(struct conf_reader *rd, struct notifier_settings *s, const struct conf_node *entry)
{
	static const char *const strategies[] = {"new", "update", NULL};
	const struct conf_key key = {.name = "message_strategy", .arg = strategies};
	const struct conf_node *node = conf_get(entry, "message_strategy");
	bool update = str_eq(plain_of(s, "update_message"), STR("true"));
	struct str url = plain_of(s, "api_url");
	int strategy = update;

	if (node != NULL && str_eq(node->text, STR("thread")))
		conf_error(rd->report, node, "message_strategy thread is not honoured yet: write new or update");
	else if (node != NULL && conf_enum(rd, &key, node, &strategy) && update && strategy == 0)
		conf_error(rd->report, node, "update_message is true and message_strategy is new: write one of them");
	if (strategy == 1 && url.n > 0 && !str_ends(url, STR("/chat.postMessage")))
		conf_error(rd->report, entry, "messages can only be updated with a bot's token: write app_token, or an api_url of chat.postMessage");
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
