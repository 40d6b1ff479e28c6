package registry

import (
	"slices"
	"testing"
)

const publishOnly = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Publish","Resource":"*"}]}`

// TestUsers: a user is what its key acts as, from its making to its removal, and
// whoever watches hears of what matters to its connections.
func TestUsers(t *testing.T) {
	r := openNew(t)
	var heard []Change
	defer r.Watch(func(c Change) { heard = append(heard, c) })()

	u, key, err := r.CreateUser(t.Context(), "web-app", InlinePolicy, publishOnly)
	if err != nil {
		t.Fatal(err)
	}
	if u.ARN != "arn:aws:iam::123456789012:user/web-app" || len(u.ID) != 21 || u.AccessKeyID != key.ID || len(key.Secret) != 40 {
		t.Errorf("made %+v with the key %s", u, key.ID)
	}
	if k, who, ok, err := r.Signer(t.Context(), key.ID); err != nil || !ok || k.Secret != key.Secret || who.ID != u.ID || who.PolicyDocument != publishOnly {
		t.Errorf("the key acts as %+v, %v, %v", who, ok, err)
	}
	first, err := r.FirstAccessKey(t.Context())
	if err != nil || first.ID == key.ID {
		t.Errorf("the first key is %s, %v", first.ID, err)
	}
	if _, who, ok, err := r.Signer(t.Context(), first.ID); err != nil || !ok || who.ID != "123456789012" || who.ARN != "arn:aws:iam::123456789012:root" || who.PolicyName != AdministratorAccess {
		t.Errorf("the first key acts as %+v, %v, %v", who, ok, err)
	}
	document, _ := ManagedPolicy("AWSIoTDataAccess")
	if _, err := r.SetUserPolicy(t.Context(), "web-app", "AWSIoTDataAccess", document); err != nil {
		t.Fatal(err)
	}
	if got, err := r.UserByID(t.Context(), u.ID); err != nil || got.PolicyName != "AWSIoTDataAccess" {
		t.Errorf("after the change %+v, %v", got, err)
	}
	if list, err := r.Users(t.Context()); err != nil || len(list) != 1 || list[0].AccessKeyID != key.ID {
		t.Errorf("listed %+v, %v", list, err)
	}
	if err := r.DeleteUser(t.Context(), "web-app"); err != nil {
		t.Fatal(err)
	}
	if _, _, ok, err := r.Signer(t.Context(), key.ID); ok || err != nil {
		t.Errorf("the key of a removed user works: %v, %v", ok, err)
	}
	want := []Change{{Kind: UserChanged, UserID: u.ID}, {Kind: UserChanged, UserID: u.ID, Status: "DELETED"}}
	if !slices.Equal(heard, want) {
		t.Errorf("heard %+v, want %+v", heard, want)
	}
}

func TestUserRefusals(t *testing.T) {
	r := openNew(t)
	if _, _, err := r.CreateUser(t.Context(), "taken", InlinePolicy, publishOnly); err != nil {
		t.Fatal(err)
	}
	create := func(name, document string) error {
		_, _, err := r.CreateUser(t.Context(), name, InlinePolicy, document)
		return err
	}
	for name, tt := range map[string]struct {
		err  error
		want Kind
	}{
		"taken":       {create("taken", publishOnly), ResourceAlreadyExists},
		"root":        {create("root", publishOnly), InvalidRequest},
		"blank":       {create("a b", publishOnly), InvalidRequest},
		"no document": {create("a", ""), MalformedPolicy},
		"malformed":   {create("a", `{"Statement":[{}]}`), MalformedPolicy},
		"absent":      {r.DeleteUser(t.Context(), "absent"), ResourceNotFound},
	} {
		if !IsKind(tt.err, tt.want) {
			t.Errorf("%s: %v, want %s", name, tt.err, tt.want)
		}
	}
	if _, err := r.SetUserPolicy(t.Context(), "absent", InlinePolicy, publishOnly); !IsKind(err, ResourceNotFound) {
		t.Errorf("policy of an absent user: %v", err)
	}
	if _, err := r.SetUserPolicy(t.Context(), "taken", InlinePolicy, "{}"); !IsKind(err, MalformedPolicy) {
		t.Errorf("a malformed policy: %v", err)
	}
}

// TestManagedPolicies parses what nobody else wrote.
func TestManagedPolicies(t *testing.T) {
	for _, name := range ManagedPolicies() {
		document, ok := ManagedPolicy(name)
		if malformed := checkDocument(document); malformed != nil || !ok {
			t.Errorf("%s: %v", name, malformed)
		}
	}
}
