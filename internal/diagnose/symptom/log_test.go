package symptom

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// quiet is a log of that many lines in which nothing is wrong, though numbers in
// it are ports, error numbers and signal strengths elsewhere.
func quiet(lines int) string {
	var b strings.Builder
	for i := range lines {
		fmt.Fprintf(&b, "2026-11-21 10:%02d:%02d INFO app: temperature %d.5 rssi -%d dBm seq %d role sensor, published to ws\n", i/60%60, i%60, 18+i%7, 40+i%60, i)
	}
	return b.String()
}

func noise(n int) string {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return string(b)
}

// TestLog finds one line in whole logs, and says which line it is.
func TestLog(t *testing.T) {
	const fault = "E (6871) esp-tls-mbedtls: mbedtls_ssl_handshake returned -0x7780"
	long := quiet(25_000) // 2.4 MiB
	for name, tt := range map[string]struct {
		text string
		line int // 0: not looked at
	}{
		"at the end":             {long + fault + "\n" + quiet(50), 25_001},
		"at the beginning":       {quiet(20) + fault + "\n" + long, 21},
		"before what is kept":    {quiet(5_000) + fault + "\n" + long, 5_001},
		"in 4 MiB":               {quiet(25_000) + fault + "\n" + quiet(20_000), 25_001},
		"CRLF":                   {strings.ReplaceAll(quiet(20_000)+fault+"\n", "\n", "\r\n"), 20_001},
		"CR":                     {strings.ReplaceAll(quiet(200)+fault+"\n", "\n", "\r"), 201},
		"UTF-16":                 {utf16Text(binary.LittleEndian, "\ufeff"+quiet(15_000)+fault), 15_001},
		"UTF-16 without a mark":  {utf16Text(binary.BigEndian, quiet(300)+fault+"\nö€😀"), 301},
		"among bytes of no text": {noise(1<<20) + "\n" + fault + "\n" + noise(1<<20), 0},
		"in one endless line":    {strings.Repeat("x", 5<<20) + " " + fault, 1},
		"endless, with blanks":   {strings.Repeat("value 21 ", 1<<19) + fault, 1},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := ExplainLog(strings.NewReader(tt.text))
			if err != nil || len(d.Candidates) == 0 || !strings.HasPrefix(d.Candidates[0].Code, "cert.") || d.Client != string(espIDF) {
				t.Fatalf("%v: %s, %s: %.300v", err, d.Client, d.Summary, d.Candidates)
			}
			if !slices.ContainsFunc(d.Matched, func(m Match) bool {
				return (tt.line == 0 || m.Line == tt.line) && strings.Contains(m.Text, "-0x7780") && len(m.Text) < 2*maxQuote
			}) {
				t.Errorf("want line %d: %+v", tt.line, d.Matched)
			}
		})
	}
	if d, err := ExplainLog(strings.NewReader(long)); err != nil || d.Known {
		t.Errorf("a log in which nothing is wrong: %v, %s: %+v", err, d.Summary, d.Matched)
	}
}

// TestLogOfSeveralCauses tells the line of each.
func TestLogOfSeveralCauses(t *testing.T) {
	d := Explain(quiet(100) + "E esp-tls: couldn't get hostname for :gw.local: getaddrinfo() returns 202\n" + quiet(100) + "mbedtls_ssl_handshake returned -0x2700\n" + quiet(100) + "W mqtt_client: Connection refused, not authorized\n")
	lines := map[string]int{}
	for _, m := range d.Matched {
		lines[m.Means] = m.Line
	}
	for means, line := range map[string]int{dnsUnavailable.says: 101, serverRefused.says: 202, notAuthorized.says: 303} {
		if lines[means] != line {
			t.Errorf("%s: line %d, want %d", means, lines[means], line)
		}
	}
}

// TestLogEnds: what breaks while it is read is an error, not half an answer.
func TestLogEnds(t *testing.T) {
	broken := errors.New("the pipe broke")
	for _, text := range []string{"", "ECONNREFUSED\n", quiet(1000), utf16Text(binary.LittleEndian, "\ufeff"+quiet(100))} {
		if _, err := ExplainLog(io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken))); !errors.Is(err, broken) {
			t.Errorf("%.20q: %v", text, err)
		}
	}
	if d, err := ExplainLog(iotest.OneByteReader(strings.NewReader("Error: connect ECONNREFUSED 127.0.0.1:8883\n"))); err != nil || d.Candidates[0].Code != "net.tcp.refused" {
		t.Errorf("%v: %+v", err, d.Candidates)
	}
}

// FuzzReadLog: whatever comes, in whatever pieces, is bounded, and is the same as
// in one piece; the numbers of its lines never go back.
func FuzzReadLog(f *testing.F) {
	for _, s := range []string{"a\nb\r\nc\rd", "\xff\xfea\x00\n\x00", "\xfe\xff\x00a\x00\n\xd8\x3d", `one\ntwo`, "\x1b[31mred\x1b[0m", strings.Repeat("x", 9000), "\x00\x01\x02text that stays here\x03"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		lines, err := readLog(strings.NewReader(s))
		if err != nil {
			t.Fatal(err)
		}
		again, err := readLog(iotest.OneByteReader(strings.NewReader(s)))
		if err != nil || len(s) >= 4 && len(again) != len(lines) {
			t.Fatalf("%v: %d lines, in one piece %d", err, len(again), len(lines))
		}
		before, bytes := 0, 0
		for _, l := range lines {
			if l.number < before {
				t.Fatalf("line %d comes after %d", l.number, before)
			}
			before = l.number
			bytes += len(l.text) + 1
		}
		if bytes > MaxText+2*maxLine {
			t.Fatalf("%d bytes are kept", bytes)
		}
	})
}
