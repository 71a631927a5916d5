/* What a kind of receiver wants of its settings beyond what its table says. */
#include "notify/receivers/notifier.h"

static struct str plain_of(const struct notifier_settings *s, const char *name)
{
	for (size_t i = 0; i < s->notifier->n_settings; i++)
		if (strcmp(s->notifier->settings[i].name, name) == 0)
			return s->v[i].plain;
	return STR("");
}

/* threaded_options: of Slack. */
static void check_thread(struct conf_reader *rd, const struct conf_node *node, bool threaded)
{
	const struct conf_node *header = conf_get(node, "summary_header"), *use = conf_get(node, "use_summary_header");

	if (node == NULL || node->kind == CONF_NULL)
		return;
	if (!threaded)
		conf_error(rd->report, node, "threaded_options is there and message_strategy is not thread: write message_strategy: thread");
	else if (header != NULL && header->kind == CONF_MAP && use != NULL && str_eq_nocase(use->text, STR("false")))
		conf_error(rd->report, header, "summary_header is there and use_summary_header is false: write one of them");
}

/* Only who posts with a token is told what it posted. */
void config_check_slack(struct conf_reader *rd, struct notifier_settings *s, const struct conf_node *entry)
{
	const struct conf_node *node = conf_get(entry, "message_strategy");
	struct str strategy = plain_of(s, "message_strategy"), url = plain_of(s, "api_url");
	bool update = str_eq(plain_of(s, "update_message"), STR("true"));

	if (update && node != NULL && node->kind != CONF_NULL && !str_eq(strategy, STR("update")))
		conf_error(rd->report, node, "update_message is true and message_strategy is " STR_FMT ": write one of them", STR_ARG(strategy));
	if ((update || !str_eq(strategy, STR("new"))) && url.n > 0 && !str_ends(url, STR("/chat.postMessage")))
		conf_error(rd->report, entry, "messages can only be updated or answered with a bot's token: write app_token, or an api_url of "
					      "chat.postMessage");
	check_thread(rd, conf_get(entry, "threaded_options"), str_eq(strategy, STR("thread")));
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
	struct setting *message = setting_of(s, "message"), *mode = setting_of(s, "parse_mode");

	(void)entry;
	if (message->given || str_eq(mode->plain, STR("HTML")) || is_redefined(rd->user, STR("telegram.default.message")))
		return;
	mode->plain = STR("");
	message->text = message->fallback = config_template(rd, NULL, STR("message"), STR("{{ template \"__text_alerts\" . }}"));
}
