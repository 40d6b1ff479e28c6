package function

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	authorizerARN = "arn:aws:iot:us-east-1:123456789012:authorizer/N"
	functionARN   = "arn:aws:lambda:us-east-1:123456789012:function:f"
)

// TestMayInvoke goes through the mistakes that custom-auth sheet 14 names.
func TestMayInvoke(t *testing.T) {
	caller := Caller{Service: "iot.amazonaws.com", SourceARN: authorizerARN, SourceAccount: testAccount}
	grant := func(change func(*Grant)) Grant {
		g := Grant{Function: "f", StatementID: "s", Action: "lambda:InvokeFunction", Principal: "iot.amazonaws.com", SourceARN: authorizerARN, SourceAccount: testAccount}
		change(&g)
		return g
	}
	for name, tt := range map[string]struct {
		grants    []Grant
		qualifier string
		want      Permission
	}{
		"none":        {nil, "", Permission{FunctionName: "f"}},
		"right":       {[]Grant{grant(func(*Grant) {})}, "", Permission{Allowed: true, Sid: "s", FunctionName: "f"}},
		"no source":   {[]Grant{grant(func(g *Grant) { g.SourceARN, g.SourceAccount = "", "" })}, "", Permission{Allowed: true, Sid: "s", FunctionName: "f"}},
		"wildcard":    {[]Grant{grant(func(g *Grant) { g.SourceARN = "arn:aws:iot:*:123456789012:authorizer/*" })}, "", Permission{Allowed: true, Sid: "s", FunctionName: "f"}},
		"all actions": {[]Grant{grant(func(g *Grant) { g.Action = "lambda:*" })}, "", Permission{Allowed: true, Sid: "s", FunctionName: "f"}},
		"function as source": {
			[]Grant{grant(func(g *Grant) { g.SourceARN = functionARN })},
			"",
			Permission{FunctionName: "f", Near: []NearStatement{{"s", "AWS:SourceArn", functionARN, authorizerARN}}},
		},
		"other account": {
			[]Grant{grant(func(g *Grant) { g.SourceAccount = "111111111111" })},
			"",
			Permission{FunctionName: "f", Near: []NearStatement{{"s", "AWS:SourceAccount", "111111111111", testAccount}}},
		},
		"other service": {
			[]Grant{grant(func(g *Grant) { g.Principal = "apigateway.amazonaws.com" })},
			"",
			Permission{FunctionName: "f", Near: []NearStatement{{"s", "Principal", "apigateway.amazonaws.com", "iot.amazonaws.com"}}},
		},
		"other action": {
			[]Grant{grant(func(g *Grant) { g.Action = "lambda:GetFunction" })},
			"",
			Permission{FunctionName: "f", Near: []NearStatement{{"s", "Action", "lambda:GetFunction", "lambda:InvokeFunction"}}},
		},
		"event source token": {
			[]Grant{grant(func(g *Grant) { g.EventSourceToken = "t" })},
			"",
			Permission{FunctionName: "f", Near: []NearStatement{{"s", "lambda:EventSourceToken", "t", ""}}},
		},
		"on the function, alias named": {
			[]Grant{grant(func(*Grant) {})},
			"live",
			Permission{FunctionName: "f", Qualifier: "live", Near: []NearStatement{{"s", "Resource", functionARN, functionARN + ":live"}}},
		},
		"on the alias": {[]Grant{grant(func(g *Grant) { g.Qualifier = "live" })}, "live", Permission{Allowed: true, Sid: "s", FunctionName: "f", Qualifier: "live"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			create(t, s, "f", "provided.al2023", "bootstrap", map[string]string{"bootstrap": "x"}, func(in *NewFunction) { in.Publish = true })
			if _, _, err := s.CreateAlias(t.Context(), "f", Alias{Name: "live", FunctionVersion: "1"}); err != nil {
				t.Fatal(err)
			}
			for _, g := range tt.grants {
				if _, err := s.AddPermission(t.Context(), g); err != nil {
					t.Fatal(err)
				}
			}
			reopened := reopen(t, s) // what was read back decides as what was written
			for _, s := range []*Service{s, reopened} {
				rec, _, ref, err := s.lookup("f", tt.qualifier)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tt.want, s.permission(rec, ref, caller)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
			if !tt.want.Allowed {
				res, err := s.Invoke(t.Context(), Request{FunctionARN: "f", Qualifier: tt.qualifier, Caller: caller})
				if err != nil || res.Outcome != PermissionDenied {
					t.Errorf("invoked without permission: %s %v", res.Outcome, err)
				}
			}
		})
	}
}

// reopen opens the functions of s once more, for reading.
func reopen(t *testing.T, s *Service) *Service {
	t.Helper()
	records, err := s.rows.all(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return &Service{cfg: s.cfg, partition: s.partition, records: records}
}

// TestPolicyText is AWS's form of a policy, and the rules of its changes.
func TestPolicyText(t *testing.T) {
	s := newService(t)
	create(t, s, "f", "provided.al2023", "bootstrap", map[string]string{"bootstrap": "x"})
	g := Grant{Function: "f", StatementID: "Id123", Action: "lambda:InvokeFunction", Principal: "iot.amazonaws.com", SourceARN: authorizerARN, SourceAccount: testAccount}
	if _, _, err := s.Policy("f", ""); !isKind(err, ResourceNotFound) {
		t.Errorf("no policy: %v", err)
	}
	if _, err := s.AddPermission(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	text, revision, err := s.Policy("f", "")
	want := `{"Version":"2012-10-17","Id":"default","Statement":[{"Sid":"Id123","Effect":"Allow","Principal":{"Service":"iot.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"` + functionARN +
		`","Condition":{"ArnLike":{"AWS:SourceArn":"` + authorizerARN + `"},"StringEquals":{"AWS:SourceAccount":"123456789012"}}}]}`
	if err != nil || text != want {
		t.Errorf("%v\n%s\nwant\n%s", err, text, want)
	}
	refused := func(kind Kind, err error) {
		t.Helper()
		if !isKind(err, kind) {
			t.Errorf("got %v, want %s", err, kind)
		}
	}
	_, err = s.AddPermission(t.Context(), g)
	refused(ResourceConflict, err)
	other := g
	other.StatementID, other.Principal = "x", "nobody in particular"
	_, err = s.AddPermission(t.Context(), other)
	refused(InvalidParameter, err)
	other.Principal, other.RevisionID = "iot.amazonaws.com", "stale"
	_, err = s.AddPermission(t.Context(), other)
	refused(PreconditionFailed, err)
	other.RevisionID, other.Qualifier = "", "$LATEST"
	_, err = s.AddPermission(t.Context(), other)
	refused(InvalidParameter, err)
	other.Qualifier, other.EventSourceToken = "", strings.Repeat("x", maxPolicy)
	_, err = s.AddPermission(t.Context(), other)
	refused(PolicyLengthExceeded, err)
	refused(PreconditionFailed, s.RemovePermission(t.Context(), "f", "", "Id123", "stale"))
	refused(ResourceNotFound, s.RemovePermission(t.Context(), "f", "", "nope", ""))
	if err := s.RemovePermission(t.Context(), "f", "", "Id123", revision); err != nil {
		t.Error(err)
	}
	refused(ResourceNotFound, s.RemovePermission(t.Context(), "f", "", "Id123", ""))
}

func TestArnLike(t *testing.T) {
	for _, tt := range []struct {
		pattern, arn string
		want         bool
	}{
		{authorizerARN, authorizerARN, true},
		{"arn:aws:iot:*:*:authorizer/*", authorizerARN, true},
		{"arn:aws:iot:us-east-?:123456789012:*", authorizerARN, true},
		{"*", authorizerARN, false},
		{"arn:*:authorizer/N", authorizerARN, false},
		{"arn:aws:iot:us-east-1:123456789012:authorizer/M", authorizerARN, false},
		{"arn:aws:iot:us-east-1:123456789012:a*r*N*", authorizerARN, true},
	} {
		if got := arnLike(tt.pattern, tt.arn); got != tt.want {
			t.Errorf("arnLike(%q, %q) = %v", tt.pattern, tt.arn, got)
		}
	}
}
