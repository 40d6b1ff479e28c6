package symptom

import (
	"slices"
	"strings"
)

// A cell of the grid is what a line is about that tells of an error in words
// which no sign knows. The grid is asked only when nothing else is known.
type cell struct {
	fact  *fact
	words [][]string // of each group one word stands on the line; a * lets it go on
}

// errorWords tell that a line is about an error at all.
var errorWords = []string{
	"err", "error*", "fail*", "cannot", "unable", "invalid", "exception*", "denied", "deny", "reject*", "refus*", "unsupported", "not", "bad", "wrong", "missing", "illegal", "abort*", "fatal", "panic", "expired", "mismatch*", "unexpected*", "lost", "broken", "unreachable", "terminated", "insecure", "malformed", "corrupt*", "unspecified",
}

// grid goes from what tells much to what tells little; the first cell counts.
var grid = []cell{
	{filePermission, [][]string{{"permission*", "mode", "modes", "chmod"}, {"file", "files", "path", "dir", "folder", "pem", "key"}}},
	{keyMismatch, [][]string{{"key"}, {"certificate", "cert", "crt"}, {"match*", "mismatch*", "belong*", "fit*", "inconsistent", "pair"}}},
	{keyUnreadable, [][]string{{"key", "pkcs8", "pkcs1", "pkey", "privkey", "rsa", "pk"}, {"private", "file", "pem", "load*", "read*", "pars*", "decod*", "format", "der", "import*", "tag", "encod*", "password", "pass", "decrypt*"}}},
	{serverName, [][]string{{"certificate", "cert", "altname*", "cn", "san"}, {"hostname", "name", "names", "host", "ip"}}},
	{serverTime, [][]string{{"certificate", "cert", "validity"}, {"expire*", "date", "time", "clock", "period", "yet"}}},
	{serverRefused, [][]string{{"certificate", "cert", "certificates", "chain", "ca", "issuer", "x509", "peer", "server"}, {"verif*", "trust*", "untrusted", "insecure", "valid*", "chain", "issuer", "root", "anchor", "authority", "security"}}},
	{certUnreadable, [][]string{{"certificate", "cert", "certificates", "crt", "pem", "der", "x509", "asn1", "ca"}, {"load*", "read*", "pars*", "decod*", "format", "import*", "initialize", "length", "header", "base64", "file", "encod*", "short", "tag"}}},
	{dnsUnknown, [][]string{{"dns", "resolv*", "lookup", "hostname", "gethostby*", "getaddrinfo"}}},
	{filterInvalid, [][]string{{"filter", "subscri*"}, {"invalid", "illegal", "malformed", "wildcard*", "format"}}},
	{topicInvalid, [][]string{{"topic", "topics", "wildcard*"}, {"invalid", "illegal", "malformed", "wildcard*", "length", "levels", "contain*", "empty", "long"}}},
	{tooLarge, [][]string{{"payload", "message", "packet", "msg"}, {"size", "large", "big", "length", "long", "exceed*", "limit"}}},
	{clientIDRefused, [][]string{{"client"}, {"id", "identifier"}, {"invalid", "reject*", "empty", "long", "length", "bad", "refus*"}}},
	{badCredentials, [][]string{{"username", "user", "password", "login", "credential*"}}},
	{subscribeRefused, [][]string{{"subscri*", "suback", "sub"}}},
	{publishRefused, [][]string{{"publish*", "puback", "pub"}}},
	{notAuthorized, [][]string{{"authoriz*", "unauthoriz*", "denied", "deny", "permission*", "forbidden", "policy", "access"}}},
	{outOfMemory, [][]string{{"memory", "heap", "malloc", "alloc*"}}},
	{tlsTimeout, [][]string{{"tls", "ssl", "handshake", "sspi", "secure"}, {"timeout", "timedout"}}},
	{tlsFailed, [][]string{{"tls", "ssl", "handshake", "sspi", "secure", "mbedtls", "openssl", "btls", "schannel", "certificate", "cert", "x509", "cipher*", "auth*"}}},
	{tcpTimeout, [][]string{{"connect*", "socket", "tcp", "broker", "server"}, {"timeout", "timedout"}}},
	{tcpUnreachable, [][]string{{"network", "route", "wifi", "interface", "unreachable"}}},
	{lost, [][]string{{"disconnect*", "closed", "lost", "dropped", "terminated", "eof", "reset", "broken", "hangup", "keepalive", "recv", "send", "read", "write"}, {"connection", "socket", "client", "broker", "server", "mqtt", "disconnect*", "transport", "packet", "network"}}},
	{connectFailed, [][]string{{"connect", "connecting", "connection", "connectivity", "socket", "tcp", "connect*"}}},
}

// grid finds what lines with an error are about.
func (t *text) grid() (list []found) {
	for _, i := range t.distinct {
		words := strings.Fields(t.wordsOf(i))
		if !hasOne(words, errorWords) {
			continue
		}
		for _, c := range grid {
			if !slices.ContainsFunc(c.words, func(group []string) bool { return !hasOne(words, group) }) {
				list = append(list, found{fact: c.fact, at: t.start[i], quote: t.quote(i, "")})
				break
			}
		}
		if len(list) == maxMatches {
			break
		}
	}
	return list
}

// wordsOf is a line in words, as far as lines are read.
func (t *text) wordsOf(line int) string {
	end := len(t.words)
	if line+1 < len(t.start) {
		end = t.start[line+1]
	}
	return t.words[t.start[line]:min(end, t.start[line]+maxLine)]
}

// hasOne says whether one of the patterns is among the words.
func hasOne(words, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		stem, open := strings.CutSuffix(p, "*")
		return slices.ContainsFunc(words, func(w string) bool { return w == p || open && strings.HasPrefix(w, stem) })
	})
}
