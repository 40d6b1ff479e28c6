package symptom

import (
	"regexp"
	"sync"
)

// expression compiles a regular expression when it is first used: every command
// is linked with this package, and few explain a text.
func expression(text string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}
