package api_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/gatehouse-iot/gatehouse/internal/api"
)

func TestPage(t *testing.T) {
	ctx := api.CallForTest(t.Context(), "123456789012", "iot:ListThings", "secret")
	read := func(token *string, filters ...any) (api.Page, error) {
		return api.ReadPage(ctx, token, nil, 25, filters...)
	}
	kind := "T"
	first, err := read(nil, &kind, true)
	if err != nil || first.After != "" || first.Size != 25 {
		t.Fatalf("first page: %+v, %v", first, err)
	}
	if first.Next(false, "x") != nil {
		t.Error("a token though there is no more")
	}
	token := first.Next(true, "thing/é")
	same := "T"
	if p, err := read(token, &same, true); err != nil || p.After != "thing/é" {
		t.Errorf("second page: %+v, %v", p, err)
	}
	if strings.Contains(*token, "thing") {
		t.Errorf("the token %s shows its key", *token)
	}

	size := int32(3)
	if p, _ := api.ReadPage(ctx, nil, &size, 25); p.Size != 3 {
		t.Errorf("size %d, want 3", p.Size)
	}
	empty := ""
	if _, err := read(&empty); err != nil {
		t.Errorf("an empty token is no token: %v", err)
	}

	bad := func(what string, p api.Page, err error) {
		t.Helper()
		if e, ok := errors.AsType[*api.Error](err); !ok || e.Code != "InvalidRequestException" || e.Status != 400 {
			t.Errorf("%s: %+v, %v, want InvalidRequestException", what, p, err)
		}
	}
	other := "U"
	p, err := read(token, &other, true)
	bad("other filter", p, err)
	p, err = read(token, (*string)(nil), true)
	bad("no filter", p, err)
	changed := *token
	changed = changed[:len(changed)-1] + string(changed[len(changed)-1]^1)
	p, err = read(&changed, &kind, true)
	bad("changed token", p, err)
	long := strings.Repeat("A", 5000)
	p, err = read(&long, &kind, true)
	bad("long token", p, err)
	for _, c := range [][3]string{{"210987654321", "iot:ListThings", "secret"}, {"123456789012", "iot:ListThingGroups", "secret"}, {"123456789012", "iot:ListThings", "other"}} {
		p, err := api.ReadPage(api.CallForTest(t.Context(), c[0], c[1], c[2]), token, nil, 25, &kind, true)
		bad(strings.Join(c[:], " "), p, err)
	}
}
