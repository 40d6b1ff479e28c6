package function

import (
	"regexp"
	"strings"
)

var (
	namePattern   = regexp.MustCompile(`^[a-zA-Z0-9-_]+$`) // of functions and aliases
	numberPattern = regexp.MustCompile(`^[0-9]+$`)
)

const (
	maxName  = 64 // bytes of a function's name
	maxAlias = 128
)

func validAlias(name string) bool { return len(name) <= maxAlias && namePattern.MatchString(name) }

const latest = "$LATEST"

// reference is a function as a caller names it.
type reference struct {
	name      string
	qualifier string // version, alias, or "" where none was given
}

// parseReference reads a name, a partial ARN or an ARN, each with or without a
// qualifier, and the qualifier that stands beside it. Source: custom-auth sheet 14.
func (s *Service) parseReference(text, qualifier string) (reference, error) {
	parts := strings.Split(text, ":")
	if parts[0] == "arn" {
		if len(parts) < 7 || parts[2] != "lambda" {
			return reference{}, refusal(InvalidParameter, "%q is no ARN of a Lambda function: that is %s.", short(text), s.arn("NAME"))
		}
		if parts[1] != s.partition || parts[3] != s.cfg.Region || parts[4] != s.cfg.AccountID {
			return reference{}, refusal(ResourceNotFound, "Function not found: %s. This endpoint serves the account %s in %s.", short(text), s.cfg.AccountID, s.cfg.Region)
		}
		parts = parts[4:]
	}
	if len(parts) >= 3 && parts[1] == "function" {
		if parts[0] != s.cfg.AccountID {
			return reference{}, refusal(ResourceNotFound, "Function not found: %s. This endpoint serves the account %s.", short(text), s.cfg.AccountID)
		}
		parts = parts[1:]
	}
	if len(parts) >= 2 && parts[0] == "function" {
		parts = parts[1:]
	}
	ref := reference{name: parts[0], qualifier: qualifier}
	if len(parts) > 2 || len(ref.name) > maxName || !namePattern.MatchString(ref.name) {
		return reference{}, refusal(InvalidParameter, "%q names no function: give a name of 1 to 64 letters, digits, hyphens and underscores, or an ARN.", short(text))
	}
	if len(parts) == 2 {
		if qualifier != "" && qualifier != parts[1] {
			return reference{}, refusal(InvalidParameter, "The derived qualifier from the function name does not match the specified qualifier.")
		}
		ref.qualifier = parts[1]
	}
	if ref.qualifier != "" && ref.qualifier != latest && !validAlias(ref.qualifier) {
		return reference{}, refusal(InvalidParameter, "%q is neither a version nor an alias.", short(ref.qualifier))
	}
	return ref, nil
}

// arn is the unqualified ARN of a function of this account and Region.
func (s *Service) arn(name string) string {
	return "arn:" + s.partition + ":lambda:" + s.cfg.Region + ":" + s.cfg.AccountID + ":function:" + name
}

// qualified is the ARN with a qualifier; "" adds none.
func qualified(arn, qualifier string) string {
	if qualifier == "" {
		return arn
	}
	return arn + ":" + qualifier
}

func (s *Service) notFound(ref reference) error {
	return refusal(ResourceNotFound, "Function not found: %s", qualified(s.arn(ref.name), ref.qualifier))
}
