package attempt

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/check"
)

// get asks h and decodes the answer into out.
func get(t *testing.T, h http.Handler, target string, out any) *http.Response {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
	if err := json.Unmarshal(w.Body.Bytes(), out); err != nil {
		t.Fatalf("GET %s: %v: %s", target, err, w.Body)
	}
	return w.Result()
}

func TestHandlerPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := recorder(t, Config{})
		h := r.Handler()
		for i := range 10 {
			refuse(r, fmt.Sprintf("192.0.2.%d:1", i+1), "sensor-1", check.CertInactive)
			time.Sleep(time.Second)
		}
		seen, token := map[string]bool{}, ""
		for {
			var page Page
			resp := get(t, h, Path+"?clientId=sensor-1&maxResults=3&nextToken="+url.QueryEscape(token), &page)
			if resp.StatusCode != http.StatusOK || len(page.Attempts) > 3 {
				t.Fatal(resp.Status, len(page.Attempts))
			}
			for _, s := range page.Attempts {
				if seen[s.ID] || s.Code != "cert.inactive" || !strings.HasPrefix(s.Verdict, "REFUSED: Certificate is registered but not active") {
					t.Errorf("summary %+v", s)
				}
				seen[s.ID] = true
			}
			if token = page.NextToken; token == "" {
				break
			}
		}
		if len(seen) != 10 {
			t.Errorf("%d attempts, want 10", len(seen))
		}
		var page Page
		get(t, h, Path+"?last=3s", &page)
		if len(page.Attempts) != 3 {
			t.Errorf("%d attempts of the last 3 s", len(page.Attempts))
		}
		get(t, h, Path+"?sourceIp=::ffff:192.0.2.4", &page)
		if len(page.Attempts) != 1 {
			t.Errorf("%d attempts of one address", len(page.Attempts))
		}
		var d Detail
		get(t, h, Path+"/"+page.Attempts[0].ID, &d)
		if d.Attempt.ID != page.Attempts[0].ID || len(d.Attempt.Steps) != 2 || !d.Report.Refused || d.Report.Findings[0].Code != "cert.inactive" {
			t.Errorf("detail %+v", d)
		}
	})
}

func TestHandlerRefuses(t *testing.T) {
	r := recorder(t, Config{Store: brokenStore{NewMemoryStore(1)}})
	h := r.Handler()
	for target, want := range map[string]struct {
		status int
		code   string
		text   string
	}{
		Path + "?maxResults=0":                         {400, "InvalidRequestException", "maxResults"},
		Path + "?maxResults=1001":                      {400, "InvalidRequestException", "1 to 1000"},
		Path + "?clientID=x":                           {400, "InvalidRequestException", "clientID"},
		Path + "?clientId=a&clientId=b":                {400, "InvalidRequestException", "2 times"},
		Path + "?sourceIp=localhost":                   {400, "InvalidRequestException", "IP address"},
		Path + "?outcome=refused":                      {400, "InvalidRequestException", "outcome"},
		Path + "?since=yesterday":                      {400, "InvalidRequestException", "RFC 3339"},
		Path + "?until=x":                              {400, "InvalidRequestException", "until"},
		Path + "?last=-5m":                             {400, "InvalidRequestException", "duration"},
		Path + "?nextToken=%21":                        {400, "InvalidRequestException", "nextToken"},
		Path + "?nextToken=YS4xLmI":                    {400, "InvalidRequestException", "other filters"},
		Path + "?a=%zz":                                {400, "InvalidRequestException", "query string"},
		Path + "/x":                                    {400, "InvalidRequestException", "UUID"},
		Path:                                           {500, "InternalFailureException", "unexpected"},
		Path + "/00000000-0000-4000-8000-00000":        {400, "InvalidRequestException", "UUID"},
		Path + "/00000000-0000-4000-8000-000000000000": {404, "ResourceNotFoundException", "does not exist"},
	} {
		var body struct{ Message string }
		resp := get(t, h, target, &body)
		if resp.StatusCode != want.status || resp.Header.Get("X-Amzn-ErrorType") != want.code || !strings.Contains(body.Message, want.text) {
			t.Errorf("GET %s: %d %s %q, want %+v", target, resp.StatusCode, resp.Header.Get("X-Amzn-ErrorType"), body.Message, want)
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodDelete, Path, nil))
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("DELETE: %d", w.Code)
	}
}

type brokenStore struct{ *MemoryStore }

func (brokenStore) List(context.Context, Filter, Cursor, int) ([]Record, error) {
	return nil, errors.New("secret path: disk I/O error")
}

func FuzzQuery(f *testing.F) {
	f.Add("clientId=a&maxResults=3&nextToken=YS4xLmI&since=1.5&until=2026-01-01T00:00:00Z")
	f.Add("last=5m&outcome=failed&sourceIp=::1")
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := parseQuery(raw, time.Unix(1e9, 0))
		if err != nil {
			return
		}
		if q.n < 1 || q.n > mostResults {
			t.Errorf("%q: %d results", raw, q.n)
		}
		c := Cursor{LastMs: 12, ID: "a.b"}
		if got, err := q.open(q.token(c)); err != nil || got != c {
			t.Errorf("%q: a token of its own: %v, %v", raw, got, err)
		}
	})
}
