package identity

import (
	"crypto"
	"crypto/rsa"
	_ "crypto/sha1" // for the explanation of a signature that was made with it
	"crypto/sha256"
	_ "crypto/sha512" // likewise
	"encoding/base64"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

// maxSignature bounds a signature in characters. Source: custom-auth sheet 11.
const maxSignature = 2560

// maxHintKeys bounds with how many keys the variants of a token are tried.
const maxHintKeys = 4

// JudgeSignature tells whether signature, in base64, is one of token by any of the
// public keys, PEM by name, of an authorizer. The check is nil when it is; else it
// says, with its evidence, what is wrong. Source: custom-auth sheet 5.
func JudgeSignature(keys map[string]string, token, signature string) (*check.Check, []attempt.Field) {
	plain := func(text string) parameter { return parameter{raw: text, value: text} }
	return verifySignature(keys, plain(token), plain(signature), "device's settings", &parameters{}, &CustomRequest{})
}

// verifySignature tells whether signature, in base64, is one of token by any of
// the keys: RSASSA-PKCS1-v1_5 with SHA-256 over the token alone. c is nil when
// it is; else it says what is wrong. Source: custom-auth sheet 5.
func verifySignature(keys map[string]string, token, signature parameter, where string, p *parameters, r *CustomRequest) (c *check.Check, evidence []attempt.Field) {
	raw, fault := decodeSignature(signature)
	if fault != "" {
		return check.AuthorizerSignatureEncoding, []attempt.Field{
			attempt.F("source", where), attempt.F("reason", fault), attempt.F("bytes_sent", strconv.Itoa(len(signature.raw))),
		}
	}
	parsed := make([]*rsa.PublicKey, 0, len(keys))
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		if key, err := registry.ParseSigningKey(keys[name]); err == nil { // the registry took it: it is one
			parsed = append(parsed, key)
		}
	}
	sum := sha256.Sum256([]byte(token.value))
	for _, key := range parsed {
		if rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], raw) == nil {
			return nil, nil
		}
	}
	evidence = []attempt.Field{attempt.F("count", strconv.Itoa(len(parsed))), attempt.F("offered", Redacted(token.value))}
	if hint := signatureHint(parsed[:min(len(parsed), maxHintKeys)], token, raw, p, r); hint != "" {
		evidence = append(evidence, attempt.F("reason", hint))
	}
	return check.AuthorizerSignatureMismatch, evidence
}

// decodeSignature reads base64 as tolerantly as can be without guessing: a
// space was a plus sign, line breaks and missing padding do no harm. fault says
// why it is none. Source: custom-auth sheet 4, 5.
func decodeSignature(signature parameter) (raw []byte, fault string) {
	text := strings.NewReplacer("\r", "", "\n", "", " ", "+").Replace(signature.value)
	unpadded := strings.TrimRight(text, "=")
	switch {
	case signature.bad:
		return nil, "a % in it does not begin a URL escape"
	case text == "":
		return nil, "it is empty"
	case len(text) > maxSignature:
		return nil, "it has more than " + strconv.Itoa(maxSignature) + " characters"
	case strings.Contains(text, "%"):
		return nil, "it is URL-encoded twice: a % is left after it was decoded"
	case strings.ContainsAny(unpadded, "-_"):
		return nil, "it has the characters - or _ of base64url, as a JWT has; base64 has + and / in their places"
	}
	raw, err := base64.RawStdEncoding.DecodeString(unpadded)
	if err != nil {
		return nil, "it has characters that are not base64"
	}
	return raw, ""
}

// signatureHint finds what was signed in place of the token, or how. It serves
// the explanation only: nothing that it finds is accepted.
func signatureHint(keys []*rsa.PublicKey, token parameter, signature []byte, p *parameters, r *CustomRequest) string {
	for _, v := range signedVariants(token, p, r) {
		sum := sha256.Sum256([]byte(v.text))
		for _, key := range keys {
			if v.text != token.value && rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature) == nil {
				return "It verifies over " + v.what + "."
			}
		}
	}
	for _, h := range []crypto.Hash{crypto.SHA1, crypto.SHA512, crypto.SHA384} {
		digest := h.New()
		digest.Write([]byte(token.value))
		sum := digest.Sum(nil)
		for _, key := range keys {
			if rsa.VerifyPKCS1v15(key, h, sum, signature) == nil {
				return "It verifies with " + h.String() + "; sign with SHA-256."
			}
		}
	}
	sum := sha256.Sum256([]byte(token.value))
	for _, key := range keys {
		if rsa.VerifyPSS(key, crypto.SHA256, sum[:], signature, nil) == nil {
			return "It verifies with the padding PSS; sign with PKCS #1 v1.5."
		}
	}
	for _, key := range keys {
		if len(signature) == key.Size() {
			return ""
		}
	}
	if len(keys) > 0 {
		return "It has " + strconv.Itoa(len(signature)) + " bytes; one by this key has " + strconv.Itoa(keys[0].Size()) + ": it was cut short, or made with another key."
	}
	return ""
}

// A signedVariant is a text that devices sign by mistake.
type signedVariant struct{ text, what string }

func signedVariants(token parameter, p *parameters, r *CustomRequest) []signedVariant {
	list := []signedVariant{
		{token.value + "\n", "the token with a line break behind it: sign without one (printf %s, or echo -n)"},
		{token.value + "\r\n", "the token with a line break behind it: sign without one"},
		{token.raw, "the URL-encoded form of the token: sign its plain value"},
		{percentEncode(token.value), "a URL-encoded form of the token: sign its plain value"},
		{`"` + token.value + `"`, "the token in quotation marks: sign the value alone"},
		{strings.TrimSpace(token.value), "the token without the white space around it"},
		{token.name + "=" + token.raw, "the parameter with its name: sign the value alone"},
	}
	if i := strings.LastIndexByte(token.value, '.'); i > 0 { // a JWT
		list = append(list, signedVariant{token.value[:i], "the header and payload of the JWT: let the token be header.payload, without the JWT's own signature"})
	}
	if r.MQTT != nil {
		user, query, _ := strings.Cut(r.MQTT.UserName, "?")
		list = append(list,
			signedVariant{r.MQTT.UserName, "the whole user name: sign the token alone"},
			signedVariant{query, "all parameters of the user name: sign the token alone"},
			signedVariant{user, "the user name: sign the token"},
			signedVariant{r.MQTT.ClientID, "the client ID: sign the token"},
			signedVariant{string(r.MQTT.Password), "the password: sign the token"},
		)
	}
	for _, q := range append(append([]parameter(nil), p.query...), p.user...) {
		if q.name != token.name && !strings.EqualFold(q.name, ParamSignature) {
			list = append(list, signedVariant{q.value, "the value of the parameter " + q.name + ": sign the token"})
		}
	}
	return list
}

// percentEncode is how encodeURIComponent writes s.
func percentEncode(s string) string {
	const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.!~*'()"
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if strings.IndexByte(plain, s[i]) >= 0 {
			b.WriteByte(s[i])
		} else {
			b.WriteByte('%')
			b.WriteByte(hex[s[i]>>4])
			b.WriteByte(hex[s[i]&15])
		}
	}
	return b.String()
}
