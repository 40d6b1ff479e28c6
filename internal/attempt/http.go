package attempt

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Path is where [Recorder.Handler] belongs on the API port.
const Path = "/gatehouse/v1/attempts"

const (
	defaultResults = 25
	mostResults    = 1000
)

// Detail is one attempt and its explanation: the answer of GET {Path}/{id}.
type Detail struct {
	Attempt Record `json:"attempt"`
	Report  Report `json:"report"`
}

// Summary is one attempt of a list: its record without its checks.
type Summary struct {
	Record
	Verdict string
}

// MarshalJSON implements [json.Marshaler]: the members of a record and its verdict.
func (s Summary) MarshalJSON() ([]byte, error) {
	s.Steps, s.Certificate, s.Facts = nil, nil, nil
	raw, err := json.Marshal(s.Record)
	if err != nil {
		return nil, err
	}
	verdict, err := json.Marshal(s.Verdict)
	if err != nil {
		return nil, err
	}
	return append(append(append(raw[:len(raw)-1], `,"verdict":`...), verdict...), '}'), nil
}

// UnmarshalJSON implements [json.Unmarshaler].
func (s *Summary) UnmarshalJSON(raw []byte) error {
	var v struct {
		Verdict string `json:"verdict"`
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return err
	}
	s.Verdict = v.Verdict
	return s.Record.UnmarshalJSON(raw)
}

// Page is the answer of GET {Path}.
type Page struct {
	Attempts  []Summary `json:"attempts"`
	NextToken string    `json:"nextToken,omitempty"`
}

// Handler serves GET {Path} and GET {Path}/{id}: docs/attempts.md. Who may ask is
// for its caller to decide.
func (r *Recorder) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(Path, r.serveList)
	mux.HandleFunc(Path+"/{id}", r.serveDetail)
	return mux
}

func (r *Recorder) serveList(w http.ResponseWriter, req *http.Request) {
	if !isGet(w, req) {
		return
	}
	q, err := parseQuery(req.URL.RawQuery, time.Now())
	if err != nil {
		fail(w, http.StatusBadRequest, "InvalidRequestException", err.Error())
		return
	}
	records, more, err := r.List(req.Context(), q.filter, q.after, q.n)
	if err != nil {
		r.internal(w, req, err)
		return
	}
	page := Page{Attempts: make([]Summary, 0, len(records))}
	for _, rec := range records {
		page.Attempts = append(page.Attempts, Summary{Record: rec, Verdict: verdict(rec, leadOf(rec.Steps))})
	}
	if more && len(records) > 0 {
		page.NextToken = q.token(cursorOf(records[len(records)-1]))
	}
	answer(w, http.StatusOK, page)
}

func (r *Recorder) serveDetail(w http.ResponseWriter, req *http.Request) {
	if !isGet(w, req) {
		return
	}
	id, err := uuid.Parse(req.PathValue("id"))
	if err != nil {
		fail(w, http.StatusBadRequest, "InvalidRequestException", "The trace ID is not a UUID.")
		return
	}
	rec, found, err := r.Get(req.Context(), id.String())
	if err != nil {
		r.internal(w, req, err)
		return
	}
	if !found {
		fail(w, http.StatusNotFound, "ResourceNotFoundException", fmt.Sprintf("The attempt %s does not exist, or is no longer kept.", id))
		return
	}
	answer(w, http.StatusOK, Detail{Attempt: rec, Report: r.Explain(rec)})
}

// query is the query of a list.
type query struct {
	filter Filter
	after  Cursor
	n      int
	mark   string // of the filter, so that a token fits only its own list
}

// parseQuery reads the query string of a list. What it does not know it refuses:
// a misspelt filter would show everything.
func parseQuery(raw string, now time.Time) (query, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return query{}, fmt.Errorf("The query string can't be read: %w.", err) // a sentence, as AWS writes them
	}
	q := query{n: defaultResults}
	token := ""
	mark := fnv.New64a()
	for _, name := range []string{"clientId", "principal", "sourceIp", "outcome", "code", "since", "until", "last", "maxResults", "nextToken"} {
		given := values[name]
		delete(values, name)
		if len(given) == 0 {
			continue
		}
		if len(given) > 1 {
			return query{}, sentence("The parameter %s is given %d times.", name, len(given))
		}
		value := given[0]
		if name != "maxResults" && name != "nextToken" {
			fmt.Fprintf(mark, "%s=%s\n", name, value)
		}
		switch name {
		case "clientId":
			q.filter.ClientID = value
		case "principal":
			q.filter.Principal = value
		case "sourceIp":
			addr, err := netip.ParseAddr(value)
			if err != nil {
				return query{}, sentence("The value %q of sourceIp is not an IP address.", value)
			}
			q.filter.SourceIP = addr.Unmap().String()
		case "outcome":
			q.filter.Outcome = Outcome(value)
			if o := q.filter.Outcome; o != Passed && o != Failed && o != Live {
				return query{}, sentence("The value %q of outcome is not one of passed, failed, live.", value)
			}
		case "code":
			q.filter.Code = value
		case "since":
			if q.filter.Since, err = parseTime(value); err != nil {
				return query{}, sentence("The value %q of since is neither an RFC 3339 time nor a Unix time in seconds.", value)
			}
		case "until":
			if q.filter.Until, err = parseTime(value); err != nil {
				return query{}, sentence("The value %q of until is neither an RFC 3339 time nor a Unix time in seconds.", value)
			}
		case "last":
			d, err := time.ParseDuration(value)
			if err != nil || d <= 0 {
				return query{}, sentence("The value %q of last is not a duration such as 15m.", value)
			}
			q.filter.Since = now.Add(-d)
		case "maxResults":
			if q.n, err = strconv.Atoi(value); err != nil || q.n < 1 || q.n > mostResults {
				return query{}, sentence("The value %q of maxResults is not a number from 1 to %d.", value, mostResults)
			}
		case "nextToken":
			token = value
		}
	}
	for name := range values {
		return query{}, sentence("The parameter %q is not known.", name)
	}
	q.mark = strconv.FormatUint(mark.Sum64(), 36)
	if token != "" {
		if q.after, err = q.open(token); err != nil {
			return query{}, err
		}
	}
	return q, nil
}

// sentence is an error whose text is the message of an AWS error.
func sentence(format string, args ...any) error { return fmt.Errorf(format, args...) }

func parseTime(value string) (time.Time, error) {
	if seconds, err := strconv.ParseFloat(value, 64); err == nil {
		return time.UnixMilli(int64(seconds * 1000)), nil
	}
	return time.Parse(time.RFC3339, value)
}

// token seals a place into a nextToken.
func (q query) token(c Cursor) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%s.%d.%s", q.mark, c.LastMs, c.ID))
}

// open reads a nextToken of the same list.
func (q query) open(token string) (Cursor, error) {
	bad := sentence("The nextToken is not valid.")
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return Cursor{}, bad
	}
	parts := strings.SplitN(string(raw), ".", 3)
	if len(parts) != 3 {
		return Cursor{}, bad
	}
	if parts[0] != q.mark {
		return Cursor{}, sentence("The nextToken belongs to a list with other filters.")
	}
	ms, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil {
		return Cursor{}, bad
	}
	return Cursor{LastMs: ms, ID: parts[2]}, nil
}

func isGet(w http.ResponseWriter, req *http.Request) bool {
	if req.Method == http.MethodGet || req.Method == http.MethodHead {
		return true
	}
	w.Header().Set("Allow", "GET, HEAD")
	fail(w, http.StatusMethodNotAllowed, "MethodNotAllowedException", "Attempts can only be read.")
	return false
}

func (r *Recorder) internal(w http.ResponseWriter, req *http.Request, err error) {
	r.cfg.Log.ErrorContext(req.Context(), "attempts not read", "error", err)
	fail(w, http.StatusInternalServerError, "InternalFailureException", "An unexpected error has occurred.")
}

// fail answers an error in AWS's shape: api sheet, REST-JSON errors.
func fail(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("X-Amzn-ErrorType", code)
	answer(w, status, map[string]string{"message": message})
}

func answer(w http.ResponseWriter, status int, body any) {
	raw, err := json.Marshal(body)
	if err != nil {
		http.Error(w, "{}", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(raw)))
	w.WriteHeader(status)
	_, _ = w.Write(raw) // the peer is gone if this fails
}
