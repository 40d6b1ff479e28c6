// Package symptom explains what a device or an SDK printed: a line, a whole log,
// a number or an exit code. It names the client, the layer and the causes that
// can be behind it, the likeliest first. It needs no server.
//
// It is a table in three parts. Signs are words and numbers that clients print;
// each stands for a fact, which says what happened whatever client worded it;
// each fact has causes, which are checks of the catalogue. Facts that only make
// sense together are in the table of combinations.
// Sources: PROBLEMS sections 1 and 2, connect sheet 8, mqtt sheet 5.2, 6.3 and
// 23, custom-auth sheet 9, and the libraries' own tables of errors.
package symptom

import (
	"cmp"
	"io"
	"slices"
	"strings"

	"github.com/gatehouse-iot/gatehouse/internal/check"
)

// Schema is the version of the JSON form of a [Diagnosis].
const Schema = 1

// A Diagnosis is what a text tells.
type Diagnosis struct {
	Schema     int         `json:"schema"`
	Known      bool        `json:"known"`            // false: nothing in the text is known here
	Client     string      `json:"client,omitempty"` // family of clients that prints such texts
	Layer      string      `json:"layer,omitempty"`  // stage of the catalogue: dns, tcp, tls, certificate, ...
	Summary    string      `json:"summary,omitempty"`
	Matched    []Match     `json:"matched"`
	Evidence   Evidence    `json:"evidence"`
	Candidates []Candidate `json:"candidates"` // the likeliest first
}

// A Match is a part of the text that was understood.
type Match struct {
	Line  int    `json:"line"` // from 1
	Text  string `json:"text"`
	Means string `json:"means"`
}

// A Candidate is a check that can be behind the text.
type Candidate struct {
	Code    string   `json:"code"`
	Stage   string   `json:"stage"`
	Title   string   `json:"title"`
	Score   int      `json:"score"`         // 1 to 99: how well it fits, for comparison within one answer
	Why     []string `json:"why,omitempty"` // what speaks for it
	Advice  string   `json:"advice,omitempty"`
	Fix     string   `json:"fix,omitempty"`        // a shell command
	Missing []string `json:"fixMissing,omitempty"` // names in capitals in Fix that must be filled in first
	Source  string   `json:"source,omitempty"`

	Attempt string `json:"attempt,omitempty"` // trace ID of a recorded attempt that failed on this check
}

const (
	maxCandidates = 8
	minScore      = 8
	maxMatches    = 12
)

// found is a fact in a text.
type found struct {
	*fact
	at     int // offset in the words of the text
	quote  string
	client client
}

// Explain explains a text, of which it uses [MaxText] bytes.
func Explain(raw string) Diagnosis {
	d, _ := ExplainLog(strings.NewReader(raw)) // such a reader does not fail
	return d
}

// ExplainLog explains what r holds, of any length and in bounded memory. The
// error is that of r.
func ExplainLog(r io.Reader) (Diagnosis, error) {
	lines, err := readLog(r)
	if err != nil {
		return Diagnosis{}, err
	}
	return explain(normalise(lines)), nil
}

func explain(t *text) Diagnosis {
	facts := t.signs()
	facts = append(facts, t.numbers()...)
	facts = append(facts, t.shapes()...)
	if !slices.ContainsFunc(facts, func(f found) bool { return f.rank > hint }) {
		facts = append(facts, t.grid()...)
	}
	facts = settle(t, t.inContext(facts))
	facts = append(facts, combine(facts)...)
	d := Diagnosis{Schema: Schema, Matched: []Match{}, Candidates: []Candidate{}, Evidence: t.evidence()}
	facts = once(facts)
	best := hint
	for _, f := range facts {
		best = max(best, f.rank)
	}
	if best == hint {
		return d
	}
	d.Known = true
	d.Client = t.client(facts)
	main := principal(facts, best)
	d.Layer, d.Summary = main.stage.String(), main.says
	for _, f := range facts {
		if f.quote != "" && len(d.Matched) < maxMatches {
			d.Matched = append(d.Matched, Match{Line: t.number[t.line(f.at)], Text: f.quote, Means: f.says})
		}
	}
	d.Candidates = rankCauses(facts, best, d.Evidence)
	return d
}

// settled says which facts of a line another fact of the same line makes
// needless: "Connection refused: not authorized" is no refusal of TCP.
var settled = []struct{ by, needless []*fact }{
	{[]*fact{notAuthorized, badCredentials, clientIDRefused, versionUnsupported, serverUnavailable, connectRefused}, []*fact{tcpRefused, connectFailed, noConnection}},
	{[]*fact{serverUntrusted, serverName, serverExpired, serverEarly, serverTime, serverRefused, certificateRefused}, []*fact{certUnreadable}},
	{[]*fact{serverUntrusted, serverName, serverExpired, serverEarly, serverTime}, []*fact{serverRefused}},
	{[]*fact{sentExpired, sentUntrusted, sentRefused}, []*fact{certificateExpired, certificateUntrusted, certificateRefused, certificateRevoked, alertReceived, serverExpired}},
	{[]*fact{serverUntrusted}, []*fact{serverFault}},
	{[]*fact{actionDenied, notAuthorized}, []*fact{filePermission}},
	{[]*fact{sentUntrusted, sentExpired, sentRefused, serverRefused}, []*fact{lost}},
	{[]*fact{largeLost}, []*fact{tooLarge, outOfMemory}},
	{[]*fact{keyUnreadable}, []*fact{certUnreadable}},
	{[]*fact{upgradeRefused}, []*fact{tlsFailed, tcpTimeout}},
	{[]*fact{tlsTimeout, pingTimeout, operationTimeout}, []*fact{tcpTimeout}},
	{[]*fact{serverEarly}, []*fact{serverExpired, serverTime}},
	{[]*fact{connackTimeout}, []*fact{tcpTimeout}},
	{[]*fact{connectThrottled}, []*fact{tcpRefused, throttled}},
	{[]*fact{certificateExpired, certificateRevoked}, []*fact{serverExpired}},
	{[]*fact{credentialsExpired}, []*fact{serverExpired, credentialsUnknown}},
	{[]*fact{dnsUnavailable}, []*fact{dnsUnknown}},
	{[]*fact{publishRefused, subscribeRefused}, []*fact{notAuthorized}},
	{[]*fact{signatureExpired, clockSkewed}, []*fact{signatureRefused}},
	{[]*fact{actionDenied, claimRefused}, []*fact{notAuthorized}},
	{[]*fact{claimRefused}, []*fact{actionDenied}},
	{[]*fact{passRole}, []*fact{actionDenied}},
	{[]*fact{clockSkewed}, []*fact{signatureExpired}},
}

// settle drops what is needless.
func settle(t *text, facts []found) []found {
	drop := map[*fact]map[int]bool{} // fact -> lines
	for _, rule := range settled {
		for _, f := range facts {
			if !slices.Contains(rule.by, f.fact) {
				continue
			}
			for _, n := range rule.needless {
				if drop[n] == nil {
					drop[n] = map[int]bool{}
				}
				drop[n][t.line(f.at)] = true
			}
		}
	}
	return slices.DeleteFunc(facts, func(f found) bool { return drop[f.fact][t.line(f.at)] })
}

// inContext drops what only colours other facts and stands far from all of them:
// in a log of hours every word comes up somewhere.
func (t *text) inContext(facts []found) []found {
	if len(t.raw) <= near {
		return facts
	}
	var lines []int
	for _, f := range facts {
		if f.rank > hint {
			lines = append(lines, t.line(f.at))
		}
	}
	slices.Sort(lines)
	return slices.DeleteFunc(facts, func(f found) bool {
		line := t.line(f.at)
		i, _ := slices.BinarySearch(lines, line-near)
		return f.rank == hint && (i == len(lines) || lines[i] > line+near)
	})
}

// once leaves each fact in at its first place.
func once(facts []found) []found {
	var list []found
	for _, f := range facts {
		if !slices.ContainsFunc(list, func(g found) bool { return g.fact == f.fact }) {
			list = append(list, f)
		}
	}
	slices.SortStableFunc(list, func(a, b found) int { return cmp.Compare(a.at, b.at) })
	return list
}

// principal is the fact that gives the summary: of the best known ones the one
// with the strongest cause.
func principal(facts []found, best rank) found {
	var main found
	for _, f := range facts {
		if f.rank == best && (main.fact == nil || f.strength() > main.strength()) {
			main = f
		}
	}
	return main
}

func (f found) strength() (n int) {
	for _, w := range f.causes {
		n = max(n, w)
	}
	return n
}

// rankCauses adds up what each fact says of each cause: independent doubts
// multiply. Where a fact names the cause, one that only names the stage counts little.
func rankCauses(facts []found, best rank, e Evidence) []Candidate {
	doubt := map[*check.Check]float64{}
	why := map[*check.Check][]string{}
	early := slices.ContainsFunc(facts, func(f found) bool { return f.rank >= narrow && f.stage <= check.StageTCP })
	for _, f := range facts {
		share := 1.0
		if f.rank != hint && f.rank < best {
			share = []float64{1, 0.25, 0.5}[f.rank]
		}
		if early && f.rank < exact && f.stage > check.StageTLS { // who never arrived was not refused there
			share *= 0.3
		}
		for c, percent := range f.causes {
			if _, seen := doubt[c]; !seen {
				doubt[c] = 1
			}
			doubt[c] *= 1 - share*float64(percent)/100
			if percent >= 20 {
				why[c] = append(why[c], f.says)
			}
		}
	}
	list := make([]Candidate, 0, len(doubt))
	for c, d := range doubt {
		score := min(int((1-d)*100+0.5), 99)
		if score < minScore {
			continue
		}
		fix, missing := c.FixWith(e.values())
		list = append(list, Candidate{
			Code: c.Code, Stage: c.Stage.String(), Title: c.Title, Score: score, Why: why[c],
			Advice: e.advice(c), Fix: fix, Missing: missing, Source: c.Source,
		})
	}
	slices.SortFunc(list, func(a, b Candidate) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Code, b.Code))
	})
	return list[:min(len(list), maxCandidates)]
}
