"""A mail server that keeps every message: EHLO, AUTH PLAIN and LOGIN, MAIL, RCPT, DATA; answers as scripted.

    with Smtp(user="u", password="p") as mail:      mail.address is where to deliver
        mail.refuse.append(("RCPT", "451 later"))   each used once
        mail.unknown["gone@x"] = ["550 who?"]       one a mail, the last for ever
        mail.messages                               [{"from":…, "to":[…], "message": email.message.EmailMessage}]
"""
import base64
import email
import email.policy
import socketserver
import threading


class _Session(socketserver.StreamRequestHandler):
    def say(self, text):
        self.wfile.write((text + "\r\n").encode())

    def line(self):
        return self.rfile.readline().decode().rstrip("\r\n")

    def credentials(self, command):
        kind, _, first = command[5:].partition(" ")
        if kind.upper() == "PLAIN":
            if not first:
                self.say("334 ")
                first = self.line()
            return base64.b64decode(first).decode().split("\0")[1:]
        self.say("334 VXNlcm5hbWU6")
        user = base64.b64decode(self.line()).decode()
        self.say("334 UGFzc3dvcmQ6")
        return [user, base64.b64decode(self.line()).decode()]

    def data(self):
        lines = []
        while True:
            raw = self.rfile.readline()
            if raw in (b".\r\n", b""):
                return b"".join(lines)
            lines.append(raw[1:] if raw.startswith(b"..") else raw)

    def handle(self):
        owner, known, sender, to = self.server.owner, self.server.owner.user is None, None, []
        self.say("220 standin")
        while True:
            command = self.line()
            verb = command.split(" ")[0].upper()
            step = owner.next_refusal(verb)
            if verb in ("", "QUIT"):
                self.say("221 bye")
                return
            if step:
                self.say(step)
            elif verb == "EHLO":
                owner.hello.append(command[5:])
                self.say("250-standin\r\n250-8BITMIME" + ("\r\n250 AUTH PLAIN LOGIN" if owner.user else "\r\n250 OK"))
            elif verb == "AUTH":
                known = self.credentials(command) == [owner.user, owner.password]
                self.say("235 welcome" if known else "535 who are you")
            elif not known:
                self.say("530 authenticate first")
            elif verb == "MAIL":
                sender, to = command.split("<")[1].split(">")[0], []
                self.say("250 ok")
            elif verb == "RCPT":
                address = command.split("<")[1].split(">")[0]
                answers = owner.unknown.get(address, ["250 ok"])
                answer = answers.pop(0) if len(answers) > 1 else answers[0]
                to += [address] if answer.startswith("250") else []
                self.say(answer)
            elif verb == "DATA" and not to:
                self.say("503 to whom?")
            elif verb == "DATA":
                self.say("354 go on")
                owner.messages.append({"from": sender, "to": to, "message": email.message_from_bytes(self.data(), policy=email.policy.default)})
                self.say("250 taken")
            else:
                self.say("250 ok")


class Smtp:
    def __init__(self, user=None, password=None):
        self.user, self.password, self.messages, self.refuse, self.hello, self.lock = user, password, [], [], [], threading.Lock()
        self.unknown = {}
        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Session)
        self.server.daemon_threads, self.server.owner = True, self
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def next_refusal(self, verb):
        with self.lock:
            for i, (when, answer) in enumerate(self.refuse):
                if when == verb:
                    del self.refuse[i]
                    return answer
        return None

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
