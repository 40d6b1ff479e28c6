package check_test

import (
	"maps"
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/policy"
)

var document = regexp.MustCompile(`--policy-document '(.*)'\n`)

// TestFixesHoldPolicies: a policy that a fix creates is one that AWS IoT takes,
// whatever the device called itself.
func TestFixesHoldPolicies(t *testing.T) {
	n := 0
	for _, name := range []string{"sensor-1", `a"b\c`, "x*y?z${iot:ClientId}", "$aws/things/t/shadow/update"} {
		for _, c := range check.All() {
			example := maps.Clone(c.Example)
			example["client_id"], example["topic"], example["filter"] = name, name, name
			command, _ := c.FixWith(check.Map(example))
			for _, m := range document.FindAllStringSubmatch(command, -1) {
				n++
				raw := strings.ReplaceAll(m[1], `'\''`, "'")
				if _, err := policy.Parse([]byte(raw)); err != nil {
					t.Errorf("%v with %q: %v\n%s", c, name, err, raw)
				}
			}
		}
	}
	if n < 40 {
		t.Errorf("only %d policy documents found", n)
	}
}
