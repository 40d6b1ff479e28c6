package symptom

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A number in a text means something only in the system that it belongs to: -28
// is no mbedTLS code, 5 behind "exit" is a CONNACK code, 104 behind "errno" a reset.
var (
	// The sign of a number that a letter or digit precedes is a hyphen. A word may
	// follow without a blank ("status code =-2try again"), and of mbedTLS' codes some
	// print the hexadecimal digits alone ("-7F00").
	numberForm  = expression(`[-−]?\b(?:0[xX][0-9a-fA-F]{1,8}|[0-9]{1,10})\b|[-−][2-7][0-9A-F]{3}\b|[-−][0-9]{1,4}`)
	opensslForm = expression(`(?i)\berror:([0-9a-f]{8})\b`)
)

const maxNumbers = 1 << 16 // of one text

// place is where a number stands.
type place struct {
	value  int
	hex    bool
	bare   bool   // the text is nothing but the number
	before string // lower case, what is before it on its line
	word   string // the last word of that
}

// numbers finds codes and looks each up in the system that its surroundings tell.
func (t *text) numbers() (list []found) {
	count := 0
	whole := strings.TrimSpace(strings.Join(t.raw[:min(len(t.raw), 3)], " "))
	seen := map[place]bool{}
	long := len(t.distinct) > 200
	for i, line := range t.lines() {
		if long && !tells(line) {
			continue
		}
		for _, m := range opensslForm().FindAllStringSubmatch(line, 8) {
			n, _ := strconv.ParseUint(m[1], 16, 64)
			if f := opensslReason(int(n & 0xFFF)); f != nil {
				list = append(list, found{fact: f, at: t.start[i], quote: t.quote(i, "")})
			}
		}
		for _, loc := range numberForm().FindAllStringIndex(line, 64) {
			if count++; count > maxNumbers {
				return list
			}
			p, ok := t.place(line, loc)
			if !ok {
				continue
			}
			p.bare = whole == line[loc[0]:loc[1]]
			if seen[p] {
				continue
			}
			seen[p] = true
			if f, c := t.lookup(p); f != nil {
				list = append(list, found{fact: f, at: t.start[i], quote: excerpt(line, loc[0]), client: c})
			}
		}
	}
	return list
}

// place reads the number that stands between two offsets of a line.
func (t *text) place(line string, loc []int) (p place, ok bool) {
	token := strings.Replace(line[loc[0]:loc[1]], "−", "-", 1)
	p.before = strings.ToLower(line[max(0, loc[0]-40):loc[0]])
	if digits, signed := strings.CutPrefix(token, "-"); signed && endsInWord(p.before) { // 2026-11-21, us-east-1
		token = digits
	} else {
		p.word = lastWord(p.before)
	}
	digits, negative := strings.CutPrefix(strings.ToLower(token), "-")
	digits, p.hex = strings.CutPrefix(digits, "0x")
	base := 10
	if p.hex {
		base = 16
	}
	n, err := strconv.ParseInt(digits, base, 64)
	if bareHex := len(digits) == 4 && negative && !p.hex; bareHex && (err != nil || mbedCode(int(n)) == nil || n&0x7F != 0) {
		if h, hexErr := strconv.ParseInt(digits, 16, 64); hexErr == nil && h&0x7F == 0 && mbedCode(int(h)) != nil {
			n, err, p.hex = h, nil, true
		}
	}
	if negative {
		n = -n
	} else if n >= 1<<31 && n < 1<<32 { // 32 bits of a negative one
		n -= 1 << 32
	}
	if err != nil || n > 1<<17 || n < -1<<31 || n < -1<<17 && windowsCodes[uint32(n)] == nil {
		return p, false
	}
	p.value = int(n)
	return p, true
}

// endsInWord says whether s ends in a letter or digit.
func endsInWord(s string) bool {
	r, _ := utf8.DecodeLastRuneInString(s)
	return unicode.IsLetter(r) || unicode.IsDigit(r)
}

// lastWord is the word that ends s, in front of =, :, ( and the like.
func lastWord(s string) string {
	s = strings.TrimRight(s, " =:([{\"'`#-\t→>,")
	return s[strings.LastIndexFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && r != '_' && (r < '0' || r > '9')
	})+1:]
}

var codeWords = []string{
	"code", "error", "err", "returned", "return", "rc", "status", "result", "errorcode", "error_code", "reasoncode", "reason", "failed", "ret", "res", "fail", "errno", "exception", "with", "awscrterror", "e", "state", "is", "value",
	"returns", "returning", "code_", "reason_code", "explain", "mqttexception", "subscribing", "publishing", "connecting", "r", "last_error", "oserror", "got", "err_code", "last_errno", "connack", "puback", "suback", "disconnect", "errorcode_",
}

func (p place) isCode() bool { return p.bare || slices.Contains(codeWords, p.word) }

// lookup decides on the system and looks there.
func (t *text) lookup(p place) (*fact, client) {
	switch {
	case p.word == "exit" || strings.HasSuffix(p.before, "exit code ") || strings.HasSuffix(p.before, "exit status ") || strings.HasSuffix(p.before, "exited with ") || strings.HasSuffix(p.before, "exit code: "):
		if t.has(curl) && !t.has(mosquitto) {
			return curlCodes[p.value], curl
		}
		if f := mosquittoExit[p.value]; f != nil {
			return f, mosquitto
		}
		return reasonCodes[p.value], mosquitto
	case strings.HasSuffix(p.before, "curl: ("):
		return curlCodes[p.value], curl
	case strings.HasSuffix(p.before, "alert number ") || strings.HasSuffix(p.before, "alert code ") || strings.HasSuffix(p.before, "(msg ") || strings.HasSuffix(p.before, "alert ") && p.value > 0 || strings.HasSuffix(p.before, "alert: ") || strings.HasSuffix(p.before, "alert description "):
		return alerts[p.value], ""
	case strings.HasSuffix(p.before, "connect failed with error code "): // the CRT's, of the system
		return errnos[p.value], awsCRT
	case p.word == "errno" || p.word == "errno_" || p.word == "winerror" || strings.HasSuffix(p.before, "os error "):
		if f := gaiErrors[p.value]; f != nil {
			return f, ""
		}
		return errnos[abs(p.value)], ""
	case p.word == "flags" && p.hex:
		return verifyFlags(p.value), mbedTLS
	}
	v := p.value
	if f, c := t.ofFamily(p); f != nil {
		return f, c
	}
	if v < 0 {
		return t.negative(p)
	}
	if p.hex {
		if f := espTLS[v]; f != nil && (p.bare || t.has(espIDF) || p.isCode()) {
			return f, espIDF
		}
		if f := mbedCode(-v); f != nil && v >= 0x1080 && (p.bare || t.has(mbedTLS) || t.has(espIDF)) {
			return f, mbedTLS
		}
		if v >= 0x80 && v <= 0xA2 && (p.bare || p.isCode()) {
			return t.reason(v), ""
		}
		return nil, ""
	}
	switch {
	case v >= 1024 && v < 6200 && crtCodes[v] != nil && (p.isCode() || t.has(awsCRT)):
		return crtCodes[v], awsCRT
	case v >= 32000 && v <= 32203 && pahoJavaCodes[v] != nil && (p.isCode() || strings.HasSuffix(p.before, "(") || t.has(pahoJava)):
		return pahoJavaCodes[v], pahoJava
	case v >= 0x8001 && v <= 0x8020 && (p.isCode() || t.has(espIDF)):
		return espTLS[v], espIDF
	case v >= 128 && v <= 162 && (p.isCode() || t.has(mosquitto) && strings.Contains(p.before, "disconnect")):
		return t.reason(v), ""
	case t.has(bearSSL) && bearCode(v) != nil && p.word != "returncode" && p.word != "rc":
		return bearCode(v), bearSSL
	case strings.HasSuffix(p.before, "rc=") || p.word == "rc" || strings.HasSuffix(p.before, "result code ") || strings.HasSuffix(p.before, "return code ") || strings.HasSuffix(p.before, "return code: ") || strings.HasSuffix(p.before, "returncode = ") || strings.HasSuffix(p.before, "reason code ") ||
		p.bare || p.word == "connack" || t.has(pubSub) && p.isCode() || strings.HasSuffix(p.before, "error code ") || p.word == "mqttexception" || p.word == "reasoncode" || p.word == "returncode":
		if strings.Contains(p.before, "disconnect") && v != 4 && v != 5 && v < 16 { // the callback's own numbers: not CONNACK's
			return lost, ""
		}
		return returnCodes[v], ""
	}
	return nil, ""
}

// ofFamily looks up a number that only one family of clients prints, or that
// means something else there.
func (t *text) ofFamily(p place) (*fact, client) {
	v := p.value
	switch {
	case v < -1<<17:
		return windowsCodes[uint32(v)], dotNET
	case p.word == "osstatus" || t.has(apple):
		return appleCodes[v], apple
	case strings.HasSuffix(p.before, "tls connection error: "):
		return cmp.Or(tasmotaCodes[v], bearCode(v)), tasmota
	case t.has(zephyr) && v < 0 && v > -200 && !p.hex:
		if dnsForm().MatchString(p.before) {
			return dnsUnknown, zephyr
		}
		return cmp.Or(zephyrCodes[v], errnos[-v]), zephyr
	case t.has(arduino256) && v < 0 && v > -14:
		return lwmqttCodes[v], arduino256
	case t.has(pahoC) && pahoCCodes[v] != nil && p.isCode():
		return pahoCCodes[v], pahoC
	case modemForm().MatchString(p.before):
		m := modemForm().FindStringSubmatch(p.before)
		switch {
		case strings.HasPrefix(m[1], "cmqtt"):
			return simcomCodes[v], modem
		case m[1] == "qmtopen" && !strings.Contains(m[2], ","):
			return quectelCodes[v], modem
		case m[1] == "qmtconn" && strings.Contains(m[2], ","):
			return returnCodes[v], modem
		}
	}
	return nil, ""
}

var (
	dnsForm   = expression(`getaddrinfo|gethostbyname|resolv|dns|lookup`)
	modemForm = expression(`\+(cmqtt[a-z]*|qmtopen|qmtconn): ?\d+,((?:\d+,)*)$`)
)

// negative looks up a code below zero.
func (t *text) negative(p place) (*fact, client) {
	v := p.value
	switch {
	case t.has(wolfSSL) || v == -188:
		if f := wolfCodes[v]; f != nil {
			return f, wolfSSL
		}
	case t.has(microPython) && v == -1:
		return lost, microPython
	case v <= -0x1080:
		return mbedCode(v), mbedTLS
	}
	arduino := t.has(pubSub) || t.has(arduinoMQTT) || strings.HasSuffix(p.before, "rc=") || p.word == "state"
	switch {
	case arduino && arduinoCodes[v] != nil && !t.has(embeddedC):
		return arduinoCodes[v], pubSub
	case p.hex, (v == -0x50 || v == -0x52 || v == -0x44 || v == -0x4C || v == -0x4E || v == -0x42) && (p.isCode() || strings.HasSuffix(p.before, "(")): // else a signal's strength
		return mbedCode(v), mbedTLS
	case v >= -51 && (p.isCode() || strings.HasSuffix(p.before, "error(") || strings.HasSuffix(p.before, "subscribing : ") || t.has(embeddedC)):
		return t.embedded(v), embeddedC
	case microPythonCodes[v] != nil && (p.isCode() || strings.Contains(p.before, "oserror")):
		return microPythonCodes[v], microPython
	case v == -113 || v == -104 || v == -111 || v == -110 || v == -101:
		return errnos[-v], ""
	}
	return nil, ""
}

// embedded looks up a code of the embedded C SDK; a time-out means what was waited for.
func (t *text) embedded(v int) *fact {
	if v == -28 {
		switch {
		case t.find(" subscri") >= 0 || t.find(" register delta") >= 0:
			return subscribeRefused
		case t.find(" publish") >= 0:
			return operationTimeout
		case t.find(" connect") >= 0:
			return hangup
		}
	}
	return embeddedCodes[v]
}

// reason looks up an MQTT 5 reason code in the packet that the text names.
func (t *text) reason(v int) *fact {
	if v == 0x87 {
		switch {
		case t.find(" disconnect ") >= 0 && t.find(" connack ") < 0:
			return notAuthorizedLater
		case t.find(" puback ") >= 0 || t.find(" publish") >= 0:
			return publishRefused
		case t.find(" suback ") >= 0 || t.find(" subscri") >= 0:
			return subscribeRefused
		}
	}
	if v == 0x80 && (t.find(" suback ") >= 0 || t.find(" subscri") >= 0 || t.find(" granted ") >= 0) {
		return subscribeRefused
	}
	return reasonCodes[v]
}

func abs(n int) int { return max(n, -n) }
