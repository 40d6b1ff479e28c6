package api

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
)

// maxToken bounds a page token, in characters of base64.
const maxToken = 4096

// sealer encrypts and authenticates page tokens.
type sealer struct{ aead cipher.AEAD }

// newSealer derives the cipher from a secret of any length.
func newSealer(secret []byte) sealer {
	key := sha256.Sum256(append([]byte("gatehouse page token\x00"), secret...))
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // the key has the right length
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return sealer{aead}
}

func readPage(ctx context.Context, token *string, size *int32, def int, filters []any) (Page, error) {
	p := Page{Size: def, sealer: callFrom(ctx).sealer}
	if p.sealer.aead == nil { // a handler called without a Server, in a test
		p.sealer = newSealer(nil)
	}
	if size != nil && *size > 0 {
		p.Size = int(*size)
	}
	c := callFrom(ctx)
	sum := sha256.New()
	fmt.Fprintf(sum, "%q %q", c.caller.Account, c.operation)
	for _, f := range filters {
		if v := reflect.ValueOf(f); v.Kind() == reflect.Pointer {
			if v.IsNil() {
				f = nil
			} else {
				f = v.Elem().Interface()
			}
		}
		fmt.Fprintf(sum, " %s", strconv.Quote(fmt.Sprintf("%T %v", f, f)))
	}
	p.bound = sum.Sum(nil)
	if token == nil || *token == "" {
		return p, nil
	}
	invalid := Errorf("InvalidRequestException", http.StatusBadRequest, "The paging token is not valid: use the token of the page before, with the same parameters.")
	if len(*token) > maxToken {
		return Page{}, invalid
	}
	raw, err := base64.StdEncoding.DecodeString(*token)
	if err != nil {
		return Page{}, invalid
	}
	after, err := p.sealer.aead.Open(nil, nil, raw, p.bound)
	if err != nil {
		return Page{}, invalid
	}
	p.After = string(after)
	return p, nil
}

func (p Page) next(last string) *string {
	t := base64.StdEncoding.EncodeToString(p.sealer.aead.Seal(nil, nil, []byte(last), p.bound))
	return &t
}

// newSecret is the key of tokens when the configuration has none: they end with the process.
func newSecret() []byte {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return b
}
