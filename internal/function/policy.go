package function

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// policyRecord is the resource policy of a function, version or alias.
type policyRecord struct {
	RevisionID string
	Statements []statement
}

// statement is what AddPermission makes. Its JSON is what GetPolicy shows.
type statement struct {
	Sid       string
	Effect    string // "Allow"
	Principal any    // "*", or one of {"Service": name} and {"AWS": ARN}
	Action    string
	Resource  string
	Condition map[string]map[string]string `json:",omitempty"`
}

// maxPolicy bounds a policy, in bytes. Source: custom-auth sheet 14.
const maxPolicy = 20 << 10

// A Grant is what AddPermission adds.
type Grant struct {
	Function, Qualifier string
	StatementID         string
	Action              string
	Principal           string // a service's name, an account ID, an ARN or *
	SourceARN           string
	SourceAccount       string
	EventSourceToken    string
	PrincipalOrgID      string
	URLAuthType         string
	RevisionID          string // the policy's; refused when it is another
}

var (
	servicePattern = regexp.MustCompile(`^[a-z0-9-]+(\.[a-z0-9-]+)*\.amazonaws\.com(\.cn)?$`)
	accountPattern = regexp.MustCompile(`^[0-9]{12}$`)
)

// principal brings what the caller wrote into the form of a policy.
func (s *Service) principal(text string) (any, error) {
	switch {
	case text == "*":
		return "*", nil
	case servicePattern.MatchString(text):
		return map[string]string{"Service": text}, nil
	case accountPattern.MatchString(text):
		return map[string]string{"AWS": "arn:" + s.partition + ":iam::" + text + ":root"}, nil
	case strings.HasPrefix(text, "arn:") && strings.Count(text, ":") >= 5:
		return map[string]string{"AWS": text}, nil
	}
	return nil, refusal(InvalidParameter, "The provided principal was invalid. Please check the principal and try again.")
}

// AddPermission adds a statement to a resource policy and returns it as JSON.
func (s *Service) AddPermission(ctx context.Context, g Grant) (string, error) {
	principal, err := s.principal(g.Principal)
	if err != nil {
		return "", err
	}
	st := statement{Sid: g.StatementID, Effect: "Allow", Principal: principal, Action: g.Action}
	condition := func(operator, key, value string) {
		if value == "" {
			return
		}
		if st.Condition == nil {
			st.Condition = map[string]map[string]string{}
		}
		if st.Condition[operator] == nil {
			st.Condition[operator] = map[string]string{}
		}
		st.Condition[operator][key] = value
	}
	condition("StringEquals", sourceAccountKey, g.SourceAccount)
	condition("StringEquals", "lambda:EventSourceToken", g.EventSourceToken)
	condition("StringEquals", "aws:PrincipalOrgID", g.PrincipalOrgID)
	condition("StringEquals", "lambda:FunctionUrlAuthType", g.URLAuthType)
	condition("ArnLike", sourceARNKey, g.SourceARN)
	_, err = s.update(ctx, g.Function, g.Qualifier, func(rec *record, ref reference) error {
		if err := s.mayHavePolicy(rec, ref); err != nil {
			return err
		}
		p := rec.Policies[ref.qualifier]
		if err := checkPolicyRevision(g.RevisionID, p.RevisionID); err != nil {
			return err
		}
		if slices.ContainsFunc(p.Statements, func(have statement) bool { return have.Sid == st.Sid }) {
			return refusal(ResourceConflict, "The statement id (%s) provided already exists. Please provide a new statement id, or remove the existing statement.", st.Sid)
		}
		st.Resource = qualified(s.arn(rec.Name), ref.qualifier)
		p.Statements = append(slices.Clone(p.Statements), st)
		p.RevisionID = uuid.NewString()
		if len(p.text()) > maxPolicy {
			return refusal(PolicyLengthExceeded, "The final policy size (%d) is bigger than the limit (%d).", len(p.text()), maxPolicy)
		}
		rec.Policies[ref.qualifier] = p
		return nil
	})
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(st)
	return string(text), err
}

// mayHavePolicy refuses a policy for what is not there, or is $LATEST by name.
func (s *Service) mayHavePolicy(rec *record, ref reference) error {
	if ref.qualifier == latest {
		return refusal(InvalidParameter, "We currently do not support adding policies for $LATEST.")
	}
	if _, ok := rec.version(ref.qualifier); !ok {
		return s.notFound(ref)
	}
	return nil
}

func checkPolicyRevision(want, have string) error {
	if want != "" && want != have {
		return refusal(PreconditionFailed, "The RevisionId provided does not match the latest RevisionId. Call the GetPolicy API to retrieve the latest RevisionId")
	}
	return nil
}

// RemovePermission removes a statement.
func (s *Service) RemovePermission(ctx context.Context, function, qualifier, statementID, revision string) error {
	_, err := s.update(ctx, function, qualifier, func(rec *record, ref reference) error {
		p, ok := rec.Policies[ref.qualifier]
		if !ok {
			return refusal(ResourceNotFound, "No policy is associated with the given resource.")
		}
		if err := checkPolicyRevision(revision, p.RevisionID); err != nil {
			return err
		}
		i := slices.IndexFunc(p.Statements, func(have statement) bool { return have.Sid == statementID })
		if i < 0 {
			return refusal(ResourceNotFound, "Statement %s is not found in resource policy.", short(statementID))
		}
		p.Statements = slices.Delete(slices.Clone(p.Statements), i, i+1)
		p.RevisionID = uuid.NewString()
		if rec.Policies[ref.qualifier] = p; len(p.Statements) == 0 {
			delete(rec.Policies, ref.qualifier)
		}
		return nil
	})
	return err
}

// Policy returns a resource policy as JSON, and its revision.
func (s *Service) Policy(function, qualifier string) (text, revision string, err error) {
	rec, _, ref, err := s.lookup(function, qualifier)
	if err != nil {
		return "", "", err
	}
	p, ok := rec.Policies[ref.qualifier]
	if !ok {
		return "", "", refusal(ResourceNotFound, "The resource you requested does not exist.")
	}
	return p.text(), p.RevisionID, nil
}

func (p *policyRecord) text() string {
	text, err := json.Marshal(struct {
		Version   string
		ID        string `json:"Id"`
		Statement []statement
	}{"2012-10-17", "default", p.Statements})
	if err != nil {
		return "" // strings and maps of strings always encode
	}
	return string(text)
}

// Condition keys, as AddPermission writes them; they compare without regard to case.
const (
	sourceARNKey     = "AWS:SourceArn"
	sourceAccountKey = "AWS:SourceAccount"
)

// permission evaluates the policy of what ref names. Statements of other
// qualifiers don't count; they are told as near misses.
func (s *Service) permission(rec *record, ref reference, caller Caller) Permission {
	if ref.qualifier == latest {
		ref.qualifier = "" // policies can't be attached to $LATEST by name
	}
	p := Permission{FunctionName: rec.Name, Qualifier: ref.qualifier}
	for _, st := range rec.Policies[ref.qualifier].Statements {
		miss, matches := st.matches(caller)
		if matches {
			return Permission{Allowed: true, Sid: st.Sid, FunctionName: rec.Name, Qualifier: ref.qualifier}
		}
		p.Near = append(p.Near, miss)
	}
	for _, other := range slices.Sorted(maps.Keys(rec.Policies)) {
		if other == ref.qualifier {
			continue
		}
		for _, st := range rec.Policies[other].Statements {
			if _, matches := st.matches(caller); matches {
				p.Near = append(p.Near, NearStatement{Sid: st.Sid, Element: "Resource", Want: st.Resource, Have: qualified(s.arn(rec.Name), ref.qualifier)})
			}
		}
	}
	return p
}

// matches compares the statement with a caller who wants to invoke; if it does
// not match, it tells the first element that differs.
func (st *statement) matches(caller Caller) (NearStatement, bool) {
	if want, ok := st.service(); !ok || want != caller.Service {
		return NearStatement{st.Sid, "Principal", want, caller.Service}, false
	}
	if st.Action != "*" && !strings.EqualFold(st.Action, "lambda:*") && !strings.EqualFold(st.Action, "lambda:InvokeFunction") {
		return NearStatement{st.Sid, "Action", st.Action, "lambda:InvokeFunction"}, false
	}
	for _, operator := range slices.Sorted(maps.Keys(st.Condition)) {
		for _, key := range slices.Sorted(maps.Keys(st.Condition[operator])) {
			want, have := st.Condition[operator][key], ""
			switch {
			case strings.EqualFold(key, sourceARNKey):
				have = caller.SourceARN
			case strings.EqualFold(key, sourceAccountKey):
				have = caller.SourceAccount
			}
			if operator == "ArnLike" && arnLike(want, have) || operator == "StringEquals" && want == have {
				continue
			}
			return NearStatement{st.Sid, key, want, have}, false
		}
	}
	return NearStatement{}, true
}

// service is the service that the statement lets invoke; text is its principal
// also when that is none.
func (st *statement) service() (text string, ok bool) {
	switch p := st.Principal.(type) {
	case string:
		return p, false // "*" is everybody with an account, which a service is not
	case map[string]string:
		if name, isService := p["Service"]; isService {
			return name, true
		}
		return p["AWS"], false
	case map[string]any: // read back from the database
		if name, isService := p["Service"].(string); isService {
			return name, true
		}
		return fmt.Sprint(p["AWS"]), false
	}
	return "", false
}

// arnLike compares an ARN with a pattern, each of its six parts by itself; *
// stands for any text and ? for one character. Source: IAM, ARN condition operators.
func arnLike(pattern, arn string) bool {
	p, a := strings.SplitN(pattern, ":", 6), strings.SplitN(arn, ":", 6)
	if len(p) != len(a) {
		return false
	}
	for i := range p {
		if !glob(p[i], a[i]) {
			return false
		}
	}
	return true
}

// glob matches without going back further than to the last *.
func glob(pattern, s string) bool {
	star, mark, p, i := -1, 0, 0, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
