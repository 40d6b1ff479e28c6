package simulate

import "testing"

func BenchmarkLine(b *testing.B) {
	line := []byte(`{"policies":[` + ownPolicy + `],"groupPolicies":[` + groupDeny + `],"context":{` + cert + `},` + client)
	b.Run("policies=2/statements=3", func(b *testing.B) {
		for b.Loop() {
			if _, malformed := Line(line, 1, false); malformed {
				b.Fatal("malformed")
			}
		}
	})
}
