package probe

import "testing"

// TestDoubtfulNames are settings that work and deserve a word.
func TestDoubtfulNames(t *testing.T) {
	p := newRun(Options{Endpoint: "a3qjexampleffp.iot.us-east-1.amazonaws.com", Env: func(key string) string {
		if key == "HTTPS_PROXY" {
			return "http://user:secret@proxy.test:3128"
		}
		return ""
	}})
	if !p.endpoint(t.Context()) || p.report.Facts.Region != "us-east-1" {
		t.Fatal(text(p.report))
	}
	got := map[string]bool{}
	for _, r := range p.report.Results {
		if r.Outcome == Warn {
			got[r.Check.Code] = true
		}
	}
	if len(got) != 2 || !got["net.endpoint.legacy"] || !got["net.proxy.set"] {
		t.Errorf("warnings %v", got)
	}
}
