package function

import (
	"slices"
	"testing"
	"time"
)

// BenchmarkInvoke measures what an invocation of a warm process costs beyond the
// handler, which does nothing: the p50 is what issue 6 bounds.
func BenchmarkInvoke(b *testing.B) {
	for _, tt := range []struct {
		name, runtime, handler string
		files                  func() map[string]string
	}{
		{"go", "provided.al2023", "bootstrap", func() map[string]string { return goProgram(b, "authorizer") }},
		{"node", "nodejs20.x", "index.handler", func() map[string]string {
			return map[string]string{"index.mjs": "export const handler = async () => ({isAuthenticated: true})"}
		}},
		{"python", "python3.11", "f.h", func() map[string]string {
			return map[string]string{"f.py": "def h(e, c):\n  return {'isAuthenticated': True}\n"}
		}},
	} {
		b.Run(tt.name, func(b *testing.B) {
			s := newService(b)
			create(b, s, tt.name, tt.runtime, tt.handler, tt.files())
			run := func() {
				if res, err := s.Invoke(b.Context(), Request{FunctionARN: tt.name, Payload: []byte(`{"token":"x"}`)}); err != nil || res.Outcome != Succeeded {
					b.Fatal(res.Outcome, res.Message, err)
				}
			}
			for range 200 { // until the interpreter has compiled what it runs
				run()
			}
			var took []time.Duration
			for b.Loop() {
				began := time.Now()
				run()
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
		})
	}
}
