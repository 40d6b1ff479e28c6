package insights

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// memory is a source of events in memory, two to a part.
type memory struct{ events []event }

type event struct {
	ms      int64
	message string
	stream  string
}

type memoryPart struct {
	events []event
	first  int
}

func (m *memory) Parts() []Part {
	var out []Part
	for i := 0; i < len(m.events); i += 3 {
		out = append(out, &memoryPart{m.events[i:min(i+3, len(m.events))], i})
	}
	return out
}

func (p *memoryPart) Latest() int64        { return 1 << 60 }
func (p *memoryPart) Size() (int, int64)   { return len(p.events), int64(len(p.events)) * 100 }
func (p *memoryPart) Open() (Batch, error) { return p, nil }
func (p *memoryPart) Close()               {}

func (p *memoryPart) Pointer(row int32, _ int64) string { return fmt.Sprint("ptr", p.first+int(row)) }

func (p *memoryPart) Having(name, text string, rows []int32) ([]int32, error) {
	c, err := p.Column(name, rows)
	return slices.DeleteFunc(rows, func(at int32) bool { return c.Codes[at] == 0 || c.Values[c.Codes[at]-1] != text }), err
}

// Skip does as the store does: it knows fields and values for certain.
func (p *memoryPart) Skip(h Hints) (bool, error) {
	has := func(name string, values []string) bool {
		c, _ := p.Column(name, nil)
		return slices.ContainsFunc(c.Values, func(v string) bool {
			return values == nil || slices.ContainsFunc(values, func(w string) bool { o, ok := compare(textOf(v), textOf(w)); return ok && o == 0 })
		})
	}
	for _, f := range h.Present {
		if !strings.HasPrefix(f, "@") && !has(f, nil) {
			return true, nil
		}
	}
	for _, e := range h.Equal {
		if !strings.HasPrefix(e.Field, "@") && !has(e.Field, e.Values) {
			return true, nil
		}
	}
	return false, nil
}

func (p *memoryPart) Rows([]int32) ([]int32, error) {
	out := make([]int32, len(p.events))
	for i := range out {
		out[i] = int32(i)
	}
	return out, nil
}

func (p *memoryPart) Times() ([]int64, error) {
	out := make([]int64, len(p.events))
	for i := range out {
		out[i] = p.events[i].ms
	}
	return out, nil
}

func (p *memoryPart) Ingested() ([]int64, error) { return p.Times() }

func (p *memoryPart) Column(name string, _ []int32) (Column, error) {
	c := Column{Codes: make([]uint32, len(p.events))}
	for i, e := range p.events {
		v, ok := e.fields()[name]
		if ok {
			c.Values = append(c.Values, v)
			c.Codes[i] = uint32(len(c.Values))
		}
	}
	return c, nil
}

// fields are the discovered fields of an event, by the obvious way.
func (e event) fields() map[string]string {
	out := map[string]string{"@message": e.message, "@logStream": e.stream, "@log": "123456789012:AWSIotLogsV2"}
	var walk func(name string, v any)
	walk = func(name string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, x := range v {
				walk(strings.TrimPrefix(name+"."+k, "."), x)
			}
		case []any:
			for i, x := range v {
				walk(fmt.Sprint(name, ".", i), x)
			}
		case json.Number:
			out[name] = v.String()
		case string:
			out[name] = v
		case bool:
			out[name] = map[bool]string{true: "1", false: "0"}[v]
		}
	}
	dec := json.NewDecoder(strings.NewReader(e.message))
	dec.UseNumber()
	var tree map[string]any
	if dec.Decode(&tree) == nil {
		walk("", tree)
	}
	return out
}

// parseSheet reads the entries of testdata/entries.jsonl.
func parseSheet(t testing.TB, lines string) []event {
	t.Helper()
	var out []event
	for i, line := range strings.Split(strings.TrimSpace(lines), "\n") {
		e := event{message: line, stream: fmt.Sprint("node_123456789012_", i%2)}
		var head struct{ Timestamp string }
		if err := json.Unmarshal([]byte(line), &head); err != nil {
			t.Fatal(err)
		}
		ts, err := time.Parse("2006-01-02 15:04:05.000", head.Timestamp)
		if err != nil {
			t.Fatal(err)
		}
		e.ms = ts.UnixMilli()
		out = append(out, e)
	}
	return out
}

func runOn(t testing.TB, events []event, query string) (*Result, *Progress) {
	t.Helper()
	q, err := Parse(query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	p := &Progress{}
	res, err := q.Run(t.Context(), &memory{events}, Options{Now: time.Date(2026, 5, 11, 9, 0, 0, 0, time.UTC)}, p)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return res, p
}

// table prints a result, a row a line, without @ptr.
func (r *Result) table() string {
	var b strings.Builder
	for _, row := range r.Rows {
		for i, c := range row {
			if c.Field == "@ptr" {
				continue
			}
			if i > 0 {
				b.WriteString(" | ")
			}
			b.WriteString(c.Field + "=" + c.Value)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestExpressions(t *testing.T) {
	events := []event{{ms: 1778487242117, message: `{"s":"Hello World","n":6,"t":"12","neg":"-1.5","ip":"192.0.2.31","six":"2001:db8::1","empty":"","blank":" \t","b":true,"o":{"a":[1,{"x":"y"}]},"gh-check":"q","list":"[1,2,3]"}`, stream: "s_0"}}
	for in, want := range map[string]string{
		"2^3": "8", "10%3": "1", "2+3*4": "14", "(2+3)*4": "20", "-n": "-6", "7/2": "3.5", "1/3": "0.3333", "1/0": "", "2^3^2": "512", "10-3-2": "5",
		"abs(neg)": "1.5", "ceil(neg)": "-1", "floor(neg)": "-2", "greatest(1,n,t)": "12", "least(1,n,neg)": "-1.5", "log(1)": "0", "sqrt(16)": "4", "round(2.567, 1)": "2.6",
		"strlen('äöü')": "3", "toupper(s)": "HELLO WORLD", "tolower(s)": "hello world", "substr(s, 6)": "World", "substr(s,0,5)": "Hello", "replace(s,'o','0')": "Hell0 W0rld",
		"concat(s,'/',n)": "Hello World/6", `ltrim("xyZxyfooxyZ","xyZ")`: "fooxyZ", `rtrim("xyZfooxyxyZ","xyZ")`: "xyZfoo", `trim("xyZxyfooxyxyZ","xyZ")`: "foo", "trim('  a ')": "a",
		"strcontains(s,'World')": "1", "strcontains(s,'world')": "0", "strcontains(s,'world',true)": "1", "isempty(empty)": "1", "isempty(missing)": "1", "isempty(s)": "0",
		"isblank(blank)": "1", "isblank(s)": "0", "startsWith(s,'He')": "1", "endsWith(s,'ld')": "1", `regexReplace(s, /o\b/, '0')`: "Hell0 World", "hexToDec('0xff')": "255", "decToHex(255)": "0xff",
		"urlencode('a b/c')": "a%20b%2Fc", "urldecode('a%20b')": "a b", "base64encode('hi')": "aGk=", "base64decode('aGk=')": "hi", "hexToAscii('6869')": "hi", "md5('a')": "0cc175b9c0f1b6a831c399e269772661",
		"ispresent(s)": "1", "ispresent(missing)": "0", "coalesce(missing, empty, s)": "", "coalesce(missing, 'none')": "none", "if(n > 5, 'big', 'small')": "big", "case(n=1,'one',n=6,'six','other')": "six",
		"case(n=1,'one')": "", "isNumeric(t)": "1", "isNumeric(s)": "0", "messageSize(s)": "11",
		"bin(5m)": "2026-05-11 08:10:00.000", "bin(300s)": "2026-05-11 08:14:00.000", "datefloor(@timestamp, 1h)": "2026-05-11 08:00:00.000", "dateceil(@timestamp, 1d)": "2026-05-12 00:00:00.000",
		"bin(1w)": "2026-05-11 00:00:00.000", "bin(1mo)": "2026-05-01 00:00:00.000", "bin(1q)": "2026-04-01 00:00:00.000", "bin(1y)": "2026-01-01 00:00:00.000", "dateceil(fromMillis(86400000), 1d)": "1970-01-02 00:00:00.000",
		"fromMillis(0)": "1970-01-01 00:00:00.000", "toMillis(@timestamp)": "1778487242117", "now()": "1778490000",
		"isValidIp(ip)": "1", "isValidIpV4(six)": "0", "isValidIpV6(six)": "1", "isIpInSubnet(ip,'192.0.2.0/24')": "1", "isIpv4InSubnet(six,'192.0.2.0/24')": "0", "isPrivateIP('10.1.2.3')": "1",
		"isPublicIP('8.8.8.8')": "1", "isReservedIP(ip)": "1", "ipv4ToNumber('0.0.1.0')": "256", "isValidIp(s)": "0",
		"jsonStringify(jsonParse(list))": "[1,2,3]", "jsonArraySize(list)": "3", "jsonArrayContains(list, 2)": "1", "jsonParse(s)": "",
		"b": "1", "o.a.0": "1", "o.a[1].x": "y", "`gh-check`": "q", "o": "", "n = '6.0'": "1", "n in [5, 6]": "1", "s not in ['a']": "1", "missing != 1": "0", "missing not like 'a'": "0", "not missing = 1": "1",
		"s like /(?i)hello/": "1", "s like 'ello'": "1", "s =~ /^World/": "0", "s not like /x/": "1", "n > 5 and t < 13": "1", "n > 5 AND NOT t < 13": "0", "! (n > 5) or true": "1", "s < 'I'": "1", "t = 12": "1",
		"parseDate('2026-05-11 08:14:02.117', 'yyyy-MM-dd HH:mm:ss.SSS')": "1778487242117", "parseDate('11/May/2026:10:14:02 +0200', 'dd/MMM/yyyy:HH:mm:ss Z')": "1778487242000", "parseDate('20260511T081402Z', \"yyyyMMdd'T'HHmmssX\")": "1778487242000",
		"parseDate('2026-05-11 10:14:02', 'yyyy-MM-dd HH:mm:ss', 'Europe/Berlin')": "1778487242000", "parseDate('Mon, 1 Jun 2026 1:05 PM', 'EEE, d MMM yyyy h:mm a')": "1780319100000", "parseDate('2026-02-30', 'yyyy-MM-dd')": "", "parseDate(s, 'yyyy')": "", "parseDate('2026-05-11x', 'yyyy-MM-dd')": "",
		"formatDate(@timestamp, '%Y-%m-%d %H:%M:%S.%L')": "2026-05-11 08:14:02.117", "strftime(@timestamp, '%d/%b/%y %I%p %j %a %u %z %%', 'Europe/Berlin')": "11/May/26 10AM 131 Mon 1 +0200 %", "formatDate(0, '%F %T %s')": "1970-01-01 00:00:00 0", "formatDate(s, '%F')": "",
		"split('a,b', ',')": `["a","b"]`, "toInt('3.9')": "3", "haversine(0,0,0,1)": "111.1951", "@logStream": "s_0", "@timestamp": "2026-05-11 08:14:02.117",
	} {
		res, _ := runOn(t, events, "fields "+in+" as x | display x")
		got := ""
		if row := res.Rows[0]; row[0].Field == "x" {
			got = row[0].Value
		}
		if got != want {
			t.Errorf("%s = %q, want %q", in, got, want)
		}
	}
}

func TestNaturalSort(t *testing.T) {
	want := []string{"!:", "#", "*%04", "0#", "5A", "111A", "2345_", "@", "@_", "A", "A9876fghj", "a12345hfh", "0", "01", "1", "2", "3"}
	var events []event
	for i, s := range slices.Backward(want) {
		m, _ := json.Marshal(map[string]string{"v": s})
		events = append(events, event{ms: int64(len(want) - i), message: string(m)})
	}
	res, _ := runOn(t, events, "display v | sort v asc")
	var got []string
	for _, r := range res.Rows {
		got = append(got, r[0].Value)
	}
	if i := slices.Index(got, "01"); i >= 0 && got[i-1] == "1" { // "01" and "1" are the same number
		got[i-1], got[i] = got[i], got[i-1]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestMalformed(t *testing.T) {
	for query, want := range map[string]struct {
		start, end int
		text       string
	}{
		"":                                   {0, 0, "the query ends where a command"},
		"fields":                             {6, 6, "the query ends where a field, a value or a function is expected"},
		"felds a":                            {0, 5, "unknown command felds (did you mean fields?)"},
		"fields a | ":                        {11, 11, "the query ends where a command"},
		"fields a || limit 1":                {10, 11, "unexpected symbol found |"},
		"filter a = ":                        {11, 11, "the query ends where"},
		"filter a = \"x":                     {11, 13, "unterminated string"},
		"filter a like /x":                   {14, 16, "unterminated regular expression"},
		"filter a like /(/":                  {14, 17, "the regular expression is not valid"},
		"fields strlenn(a)":                  {7, 14, "unknown function strlenn (did you mean strlen?)"},
		"fields strlen(a,b)":                 {7, 18, "strlen takes 1 argument, not 2"},
		"fields (a":                          {9, 9, "the query ends where ) after the expression is expected"},
		"stats a by b":                       {6, 7, "a is no aggregate"},
		"stats count(*) by b | fields c":     {29, 30, "Unknown symbols found in or after stats: c"},
		"stats count(*) as n | stats max(m)": {32, 33, "Unknown symbols found in or after stats: m"},
		"sort a | stats count(*)":            {0, 7, "sort stands before the last stats"},
		"dedup a | fields b":                 {10, 18, "only limit may follow dedup"},
		"parse 'a*b*' as x":                  {6, 17, "the pattern of parse has 2 *, but there are 1 names"},
		"limit 0":                            {6, 7, "a whole number from 1 to 100000"},
		"limit 100001":                       {6, 12, "a whole number from 1 to 100000"},
		"diff":                               {0, 4, "the command diff is not supported"},
		"SOURCE logGroups()":                 {18, 18, "the query ends where | after SOURCE is expected"},
		"SOURCE dataSource(['a']) | limit 1": {7, 17, "SOURCE dataSource is not supported"},
		"SOURCE logGroups(prefix: ['a']) | limit 1":   {17, 23, "unexpected symbol found prefix, expected namePrefix"},
		"SOURCE logGroups(namePrefix: []) | limit 1":  {30, 31, "unexpected symbol found ], expected a string"},
		"fields a | SOURCE logGroups()":               {11, 17, "unknown command SOURCE"},
		"stats topk(3, a) by b":                       {6, 16, "topk stands alone"},
		"stats topk(3, a), count(*)":                  {6, 16, "topk stands alone"},
		"stats topk(0, a)":                            {11, 12, "the first argument of topk"},
		"stats 2 * topk(1, a)":                        {10, 20, "topk stands alone"},
		"stats rate(a, 5)":                            {14, 15, "rate needs a period"},
		"stats histogram(a, 0)":                       {19, 20, "histogram has from 1 to 1000 ranges"},
		"stats pct(a, 101)":                           {13, 16, "the percentile of pct"},
		"fields parseDate(a, 'qq')":                   {20, 24, "the pattern has the letter q"},
		"fields parseDate(a, b)":                      {20, 21, "the format and the time zone of parsedate are strings"},
		"fields parseDate(a, 'yyyy', 'Mars/Olympus')": {28, 42, "the time zone Mars/Olympus is not known"},
		"fields formatDate(a, '%Q')":                  {21, 25, "the format has %Q"},
		"pattern @message | filter clientId = 1":      {26, 34, "Unknown symbols found in or after stats: clientId"},
		"filter a in (fields b)":                      {12, 13, "subqueries are not supported"},
		"fields bin(a)":                               {11, 12, "bin needs a period"},
		"fields count(a)":                             {7, 15, "count is an aggregate"},
		"stats sum(max(a))":                           {10, 16, "max is an aggregate"},
		"fields a; b":                                 {8, 9, "unexpected symbol found ;"},
		"fields topk(3, a)":                           {7, 17, "topk is an aggregate"},
		"filter ä = ;":                                {11, 12, "unexpected symbol found ;"},
		"fillmissing with 0":                          {0, 18, "fillmissing stands after stats"},
		"stats count(*) by bin(5m) | sort bin(5m)":    {33, 40, "Unknown symbols found in or after stats: @timestamp"},
	} {
		_, err := Parse(query)
		e, ok := err.(*SyntaxError) //nolint:errorlint // Parse returns it as it is
		if !ok {
			t.Errorf("%s: %v, want a SyntaxError", query, err)
			continue
		}
		if e.Start != want.start || e.End != want.end || !strings.HasPrefix(e.Message, want.text) && !strings.Contains(e.Message, want.text) {
			t.Errorf("%q: %d-%d %q, want %d-%d %q", query, e.Start, e.End, e.Message, want.start, want.end, want.text)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"fields @timestamp, @message | sort @timestamp desc | limit 20", "parse a /(?<x>.)/ | stats count(*) by bin(5m)", "filter a.b[0] in [1,'x'] # c", "unnest m.s into x", "`a"} {
		f.Add(s)
	}
	events := []event{{ms: 1, message: `{"a":1,"b":{"c":[1,"x"]}}`}}
	f.Fuzz(func(t *testing.T, text string) {
		q, err := Parse(text)
		if e, ok := err.(*SyntaxError); ok { //nolint:errorlint // as it is
			if e.Start < 0 || e.End < e.Start || e.Message == "" {
				t.Fatalf("%q: %+v", text, e)
			}
			return
		} else if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if _, err := q.Run(t.Context(), &memory{events}, Options{Memory: 1 << 20}, nil); err != nil && err != ErrMemory { //nolint:errorlint // as it is
			t.Fatalf("%q: %v", text, err)
		}
	})
}

// TestCommands runs what the forty example queries do not use.
func TestCommands(t *testing.T) {
	var events []event
	for i, m := range []string{
		`{"k":"a","n":10,"m":"user 17 failed from 10.0.0.1 after 20 ms"}`, `{"k":"b","n":30,"m":"user 9 failed from 10.0.0.2 after 5 ms"}`, `{"k":"a","n":40,"m":"disk is full"}`,
		`{"k":"a","n":100,"m":"user x failed from 10.0.0.3 after 7 ms"}`, `{"n":"none","m":"error: 3f2504e0-4f89-11d3-9a0c-0305e82c3301 is gone"}`,
	} {
		events = append(events, event{ms: int64(i) * 60_000, message: m})
	}
	for query, want := range map[string]string{
		"stats topk(1, k)":                          "k=a | count=3\n",
		"stats topk(2, k) as kind":                  "kind=a | count=3\ncount=1\n", // of those that are equal the newest first
		"stats rate(n, 1m) as r":                    "r=30\n",                      // from 10 to 100 in three minutes
		"stats rate(n, 30s) as r by k | sort k asc": "\nk=a | r=15\nk=b\n",
		"stats histogram(n, 3) as h":                `h={"10-40":2,"40-70":1,"70-100":1}` + "\n",
		"stats histogram(k, 3) as h":                "\n",
		"stats count_over_time(n) as c, sumOverTime(n) as s by bin(2m) as t | sort t asc": "t=1970-01-01 00:00:00.000 | c=2 | s=40\nt=1970-01-01 00:02:00.000 | c=2 | s=140\nt=1970-01-01 00:04:00.000 | c=1\n",
		"fields k | sort @timestamp desc | filldown k":                                    "\nk=a\nk=a\nk=b\nk=a\n",
		"fields k, n | sort @timestamp asc | filldown":                                    "k=a | n=10\nk=b | n=30\nk=a | n=40\nk=a | n=100\nk=a | n=none\n",
		"stats count(*) as c by bin(1m) as t offset 30s | sort t asc | limit 2":           "t=1969-12-31 23:59:30.000 | c=1\nt=1970-01-01 00:00:30.000 | c=1\n",
		"pattern m": "@pattern=user <Token-1> failed from <IPAddress-2> after <Number-3> ms | @sampleCount=3 | @ratio=0.6 | @severityLabel=None\n" +
			"@pattern=error: <UUID-1> is gone | @sampleCount=1 | @ratio=0.2 | @severityLabel=Error\n" +
			"@pattern=disk is full | @sampleCount=1 | @ratio=0.2 | @severityLabel=None\n",
		"filter k = 'b' | pattern m | display @pattern":                                    "@pattern=user <Number-1> failed from <IPAddress-2> after <Number-3> ms\n",
		"SOURCE logGroups(namePrefix: ['AWS'], class: ['STANDARD']) | stats count(*) as n": "n=5\n",
	} {
		if res, _ := runOn(t, events, query); res.table() != want {
			t.Errorf("%s:\n%swant:\n%s", query, res.table(), want)
		}
	}
}

// TestNewest: rows that can't be among the newest are counted, not collected.
func TestNewest(t *testing.T) {
	var events []event
	for i := range 9000 {
		events = append(events, event{ms: int64(i / 2 * 7919 % 3000), message: fmt.Sprintf(`{"n":%d}`, i)})
	}
	for _, query := range []string{"fields n | sort @timestamp desc, n asc | limit 3", "fields n | filter n >= 0 | limit 3", "fields n | sort n asc | sort @timestamp desc | limit 3"} {
		res, p := runOn(t, events, query)
		q, err := Parse(strings.Replace(query, "limit 3", "filter n > -1 | limit 3", 1)) // a barrier that needs all rows
		if err != nil {
			t.Fatal(err)
		}
		want, err := q.Run(t.Context(), &memory{events}, Options{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.table(), res.table()); diff != "" || p.Matched.Load() != 9000 {
			t.Errorf("%s: matched %d (-want +got):\n%s", query, p.Matched.Load(), diff)
		}
	}
}
