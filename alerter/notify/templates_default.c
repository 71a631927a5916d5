/* The texts messages have when nobody wrote others. The names are those that Alertmanager's users refer to and override; the texts
 * are ours: what fires, how many, since when, its value, why it ended, and a link. */
#include "notify/receivers/receiver.h"

#define DEFINE(name, text) "{{ define \"" name "\" }}" text "{{ end }}\n"
#define SAME(name, as) DEFINE(name, "{{ template \"" as "\" . }}")
/* Of an alert. */
#define RESOLVED "{{ if eq .Status \"resolved\" }}Resolved: {{ end }}"
#define SINCE                                                                                                                      \
	"Since {{ date \"2006-01-02 15:04:05 MST\" .StartsAt }}"                                                                   \
	"{{ if eq .Status \"resolved\" }}, ended {{ date \"2006-01-02 15:04:05 MST\" .EndsAt }}{{ end }}"
#define CALL(name) "{{ template \"" name "\" $a }}"
/* <link>: in the first alert that fires, where no limit of length cuts it off. */
#define EACH_ALERT(before, link, after)                                                                                            \
	"{{ range $i, $a := .Alerts.Firing }}" before "{{ if eq $i 0 }}" link "{{ end }}" after "{{ end }}"                          \
	"{{ range $a := .Alerts.Resolved }}" before after "{{ end }}"
#define HEADLINE "(or .Annotations.summary .Annotations.title .Labels.alertname)"
/* Of an alert, in two parts; <show>: what puts a value there, nothing or the call of a template. */
#define MARKDOWN_ALERT(name, show)                                                                                                 \
	DEFINE(name "_head", "**" RESOLVED "{{ " show " " HEADLINE " }}**\n\n")                                                    \
	DEFINE(name "_rest",                                                                                                       \
	       "{{ if .Annotations.description }}{{ " show " .Annotations.description }}\n\n{{ end }}"                             \
	       "{{ if .Reason }}{{ " show " .Reason }}\n\n{{ end }}" SINCE "\n\n"                                                 \
	       "{{ range .Labels.SortedPairs }}- {{ .Name }}: {{ " show " .Value }}\n{{ end }}\n"                                 \
	       "{{ if .Annotations.runbook_url }}[Runbook]({{ .Annotations.runbook_url }})\n{{ end }}"                             \
	       "{{ if .GeneratorURL }}[Source]({{ .GeneratorURL }})\n{{ end }}")
#define MARKDOWN_ALERTS(alert)                                                                                                     \
	EACH_ALERT(CALL(alert "_head"), "{{ with $.AckURL }}[Acknowledge]({{ . }})\n\n{{ end }}", CALL(alert "_rest") "\n")         \
	"{{ template \"__acknowledged\" . }}"

const char *const notice_default_templates[] = {
	DEFINE("__alertmanager", "Tocsin"),
	DEFINE("__alertmanagerURL", "{{ .ExternalURL }}/"),
	/* [FIRING:2] Down api (critical) */
	DEFINE("__subject",
	       "[{{ toUpper .Status }}{{ if eq .Status \"firing\" }}:{{ len .Alerts.Firing }}{{ end }}] "
	       "{{ join \" \" .GroupLabels.SortedPairs.Values }}"
	       "{{ $rest := .CommonLabels.Remove .GroupLabels.Names }}{{ if $rest }} ({{ join \" \" $rest.Values }}){{ end }}"),
	DEFINE("__description", ""),
	DEFINE("__labels", "{{ range $i, $p := .SortedPairs }}{{ if $i }}, {{ end }}{{ $p.Name }}={{ $p.Value }}{{ end }}"),
	DEFINE("__headline",
	       "{{ if .Annotations.summary }}{{ .Annotations.summary }}{{ else if .Annotations.title }}{{ .Annotations.title }}"
	       "{{ else }}{{ .Labels.alertname }}{{ end }}"),
	DEFINE("__text_head", RESOLVED "{{ template \"__headline\" . }}\n"),
	DEFINE("__text_rest",
	       "{{ if .Annotations.description }}{{ .Annotations.description }}\n{{ end }}"
	       "{{ if .Reason }}{{ .Reason }}\n{{ end }}" SINCE "\n"
	       "{{ template \"__labels\" .Labels }}\n"
	       "{{ if .Annotations.runbook_url }}Runbook: {{ .Annotations.runbook_url }}\n{{ end }}"
	       "{{ if .GeneratorURL }}Source: {{ .GeneratorURL }}\n{{ end }}"),
	DEFINE("__text_alert", "{{ template \"__text_head\" . }}{{ template \"__text_rest\" . }}"),
	DEFINE("__acknowledged",
	       "{{ if .AcknowledgedBy }}Acknowledged by {{ .AcknowledgedBy }}, {{ date \"2006-01-02 15:04:05 MST\" .AcknowledgedAt }}{{ end }}"),
	DEFINE("__text_alert_list", "{{ range . }}{{ template \"__text_alert\" . }}\n{{ end }}"),
	DEFINE("__text_alerts",
	       EACH_ALERT(CALL("__text_head"), "{{ with $.AckURL }}Acknowledge: {{ . }}\n{{ end }}", CALL("__text_rest") "\n")
	       "{{ template \"__acknowledged\" . }}"),
	MARKDOWN_ALERT("__markdown", ""),
	DEFINE("__text_alert_markdown", "{{ template \"__markdown_head\" . }}{{ template \"__markdown_rest\" . }}"),
	DEFINE("__text_alert_list_markdown", "{{ range . }}{{ template \"__text_alert_markdown\" . }}\n{{ end }}"),
	DEFINE("__markdown_alerts", MARKDOWN_ALERTS("__markdown")),

	/* For those who read < > & as their own. */
	DEFINE("__entities", "{{ reReplaceAll \">\" \"&gt;\" (reReplaceAll \"<\" \"&lt;\" (reReplaceAll \"&\" \"&amp;\" .)) }}"),
	MARKDOWN_ALERT("__webex", "template \"__entities\""),
	DEFINE("__slack_link", "{{ if .url }}<{{ template \"__entities\" .url }}|{{ .text }}>\n{{ end }}"),
	DEFINE("__slack_alert",
	       "*" RESOLVED "{{ template \"__entities\" " HEADLINE " }}*\n"
	       "{{ with .Annotations.description }}{{ template \"__entities\" . }}\n{{ end }}"
	       "{{ with .Reason }}{{ template \"__entities\" . }}\n{{ end }}" SINCE "\n"
	       "{{ range $i, $p := .Labels.SortedPairs }}{{ if $i }}, {{ end }}{{ $p.Name }}={{ template \"__entities\" $p.Value }}{{ end }}\n"
	       "{{ template \"__slack_link\" (dict \"url\" .Annotations.runbook_url \"text\" \"Runbook\") }}"
	       "{{ template \"__slack_link\" (dict \"url\" .GeneratorURL \"text\" \"Source\") }}"),
	DEFINE("__slack_alerts",
	       EACH_ALERT(CALL("__slack_alert"), "{{ template \"__slack_link\" (dict \"url\" $.AckURL \"text\" \"Acknowledge\") }}", "\n")
	       "{{ template \"__acknowledged\" . }}"),
	SAME("slack.default.title", "__subject"),
	SAME("slack.default.username", "__alertmanager"),
	DEFINE("slack.default.fallback", "{{ template \"slack.default.title\" . }} | {{ template \"slack.default.titlelink\" . }}"),
	DEFINE("slack.default.callbackid", ""),
	DEFINE("slack.default.pretext", ""),
	SAME("slack.default.titlelink", "__alertmanagerURL"),
	DEFINE("slack.default.iconemoji", ""),
	DEFINE("slack.default.iconurl", ""),
	SAME("slack.default.text", "__slack_alerts"),
	DEFINE("slack.default.footer", ""),

	SAME("pagerduty.default.description", "__subject"),
	SAME("pagerduty.default.client", "__alertmanager"),
	SAME("pagerduty.default.clientURL", "__alertmanagerURL"),
	SAME("pagerduty.default.instances", "__text_alert_list"),

	SAME("opsgenie.default.message", "__subject"),
	SAME("opsgenie.default.description", "__text_alerts"),
	SAME("opsgenie.default.source", "__alertmanagerURL"),

	SAME("victorops.default.state_message", "__text_alerts"),
	SAME("victorops.default.entity_display_name", "__subject"),
	SAME("victorops.default.monitoring_tool", "__alertmanager"),

	SAME("pushover.default.title", "__subject"),
	DEFINE("pushover.default.message",
	       "{{ template \"__text_alert_list\" .Alerts.Firing }}{{ template \"__text_alert_list\" .Alerts.Resolved }}"
	       "{{ template \"__acknowledged\" . }}"),
	DEFINE("pushover.default.url", "{{ if .AckURL }}{{ .AckURL }}{{ else }}{{ template \"__alertmanagerURL\" . }}{{ end }}"),

	DEFINE("__telegram_alert",
	       "<b>" RESOLVED "{{ template \"__headline\" . }}</b>\n"
	       "{{ with .Annotations.description }}{{ . }}\n{{ end }}{{ with .Reason }}{{ . }}\n{{ end }}" SINCE "\n"
	       "<i>{{ template \"__labels\" .Labels }}</i>\n"
	       "{{ with .Annotations.runbook_url }}<a href=\"{{ . }}\">Runbook</a>\n{{ end }}"
	       "{{ with .GeneratorURL }}<a href=\"{{ . }}\">Source</a>\n{{ end }}"),
	DEFINE("telegram.default.message",
	       EACH_ALERT(CALL("__telegram_alert"), "{{ with $.AckURL }}<a href=\"{{ . }}\">Acknowledge</a>\n{{ end }}", "\n")
	       "{{ template \"__acknowledged\" . }}"),
	SAME("discord.default.title", "__subject"),
	DEFINE("discord.default.content", ""),
	SAME("discord.default.message", "__markdown_alerts"),
	DEFINE("webex.default.message", MARKDOWN_ALERTS("__webex")),
	SAME("msteams.default.summary", "__subject"),
	SAME("msteams.default.title", "__subject"),
	SAME("msteams.default.text", "__markdown_alerts"),
	SAME("msteamsv2.default.title", "__subject"),
	SAME("msteamsv2.default.text", "__markdown_alerts"),
	SAME("rocketchat.default.title", "__subject"),
	SAME("rocketchat.default.alias", "__alertmanager"),
	SAME("rocketchat.default.titlelink", "__alertmanagerURL"),
	DEFINE("rocketchat.default.emoji", ""),
	DEFINE("rocketchat.default.iconurl", ""),
	SAME("rocketchat.default.text", "__text_alerts"),
	SAME("mattermost.default.title", "__subject"),
	SAME("mattermost.default.username", "__alertmanager"),
	SAME("mattermost.default.titlelink", "__alertmanagerURL"),
	SAME("mattermost.default.fallback", "slack.default.fallback"),
	SAME("mattermost.default.text", "__markdown_alerts"),

	SAME("sns.default.subject", "__subject"),
	SAME("sns.default.message", "__text_alerts"),
	SAME("wechat.default.message", "__text_alerts"),
	DEFINE("wechat.default.to_user", ""),
	DEFINE("wechat.default.to_party", ""),
	DEFINE("wechat.default.to_tag", ""),
	DEFINE("wechat.default.agent_id", ""),
	SAME("jira.default.summary", "__subject"),
	SAME("jira.default.description", "__text_alerts"),
	DEFINE("jira.default.priority",
	       "{{ if eq .CommonLabels.severity \"critical\" }}High{{ else if eq .CommonLabels.severity \"warning\" }}Medium"
	       "{{ else if eq .CommonLabels.severity \"info\" }}Low{{ end }}"),
	SAME("email.default.subject", "__subject"),
	DEFINE("__html_alert",
	       "<tr><td style=\"padding:12px;border-left:4px solid {{ if eq .Status \"resolved\" }}#2e8540{{ else }}#c9302c{{ end }}\">"
	       "<strong>" RESOLVED "{{ template \"__headline\" . }}</strong><br>\n"
	       "{{ with .Annotations.description }}<span style=\"white-space:pre-line\">{{ . }}</span><br>\n{{ end }}"
	       "{{ if .Reason }}{{ .Reason }}<br>\n{{ end }}"
	       SINCE "<br>\n"
	       "<small>{{ range .Labels.SortedPairs }}{{ .Name }} = {{ .Value }}<br>\n{{ end }}</small>"
	       "{{ if .Annotations.runbook_url }}<a href=\"{{ .Annotations.runbook_url }}\">Runbook</a> {{ end }}"
	       "{{ if .GeneratorURL }}<a href=\"{{ .GeneratorURL }}\">Source</a>{{ end }}</td></tr>\n"),
	DEFINE("email.default.html",
	       "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>{{ template \"__subject\" . }}</title>"
	       "<meta name=\"viewport\" content=\"width=device-width\"></head>\n"
	       "<body style=\"font-family:sans-serif\"><h2 style=\"font-size:1.2em\">{{ template \"__subject\" . }}</h2>\n"
	       "{{ with .AckURL }}<p><a href=\"{{ . }}\"><strong>Acknowledge</strong></a></p>\n{{ end }}<table>\n"
	       EACH_ALERT(CALL("__html_alert"), "", "")
	       "</table>\n"
	       "{{ if .AcknowledgedBy }}<p>{{ template \"__acknowledged\" . }}</p>\n{{ end }}"
	       "<p><a href=\"{{ template \"__alertmanagerURL\" . }}\">{{ template \"__alertmanager\" . }}</a></p></body></html>\n"),
	NULL,
};
