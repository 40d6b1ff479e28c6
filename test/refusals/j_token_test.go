package refusals

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1" // one of the mistakes
	_ "crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/url"
	"os"
	"path/filepath"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"

	"github.com/gatehouse-iot/gatehouse/test/rawmqtt"
)

// tokenRows are tokens and signatures. Source: custom-auth sheet 4, 5, 18.
var tokenRows = []refusal{
	{
		id: "J-14/key-name", does: "sends its token under another name", setup: func(d *device) {
			d.signedAuthorizer()
		},
		act: func(d *device) rawmqtt.End {
			return d.connectTo("", []string{"mqtt"}, byName+"&x-amz-customauthorizer-signature="+d.vars["signature"]+"&jwt=tok", "ok")
		},
		sees: denied, code: "authorizer.token_key_name", proof: map[string]string{"offered": "jwt"},
		fix: "aws iot update-authorizer --authorizer-name $authorizer --token-key-name jwt", after: accepted,
	},
	{
		id: "J-14/token", does: "sends no token to an authorizer that verifies signatures", setup: (*device).signedAuthorizer,
		act: byAuthorizer(byName, "ok"), sees: denied, code: "authorizer.token_missing",
	},
	{
		id: "J-14/signature", does: "sends a token without its signature", setup: (*device).signedAuthorizer,
		act: byAuthorizer(byName+"&Token=tok", "ok"), sees: denied, code: "authorizer.signature_missing",
	},
	{
		id: "J-05", does: "sends a signature in base64url", setup: (*device).signedAuthorizer,
		act: byAuthorizer(byName+"&Token=tok&x-amz-customauthorizer-signature=a-_b", "ok"), sees: denied, code: "authorizer.signature_encoding", says: "base64url",
	},
	{
		id: "J-14/mismatch", does: "signs another value than its token", setup: (*device).signedAuthorizer,
		act: func(d *device) rawmqtt.End {
			return d.connectTo("", []string{"mqtt"}, byName+"&Token=other&x-amz-customauthorizer-signature="+d.vars["signature"], "ok")
		},
		sees: denied, code: "authorizer.signature_mismatch",
	},
	{
		id: "J-14/key-case", does: "sends its token under a name of another case", setup: (*device).signedAuthorizer,
		act:  byAuthorizer(byName+"&token=tok&x-amz-customauthorizer-signature=$signature", "ok"),
		sees: denied, code: "authorizer.token_key_name", proof: map[string]string{"offered": "token", "token_key": "Token"},
		fix: "aws iot update-authorizer --authorizer-name $authorizer --token-key-name token", after: accepted,
	},
	{
		id: "J-05/twice", does: "sends a signature that is URL-encoded twice", setup: (*device).signedAuthorizer,
		act: byAuthorizer(byName+"&Token=tok&x-amz-customauthorizer-signature=a%252Bb%253D", "ok"), sees: denied, code: "authorizer.signature_encoding", says: "twice",
	},
	{
		id: "J-05/escape", does: "sends a signature with a % that begins no URL escape", setup: (*device).signedAuthorizer,
		act: byAuthorizer(byName+"&Token=tok&x-amz-customauthorizer-signature=a%b", "ok"), sees: denied, code: "authorizer.signature_encoding", says: "URL escape",
	},
	wronglySigned("newline", "signs its token with a line break behind it", "line break", crypto.SHA256, "tok\n"),
	wronglySigned("encoded", "signs the URL-encoded form of its token", "URL-encoded", crypto.SHA256, "t%26k"),
	wronglySigned("user-name", "signs its user name", "the user name", crypto.SHA256, "bob"),
	wronglySigned("password", "signs its password", "the password", crypto.SHA256, "ok"),
	wronglySigned("jwt", "signs the header and payload of its JWT", "JWT", crypto.SHA256, "header.payload"),
	wronglySigned("sha1", "signs with SHA-1", "SHA-1", crypto.SHA1, "tok"),
	wronglySigned("sha512", "signs with SHA-512", "SHA-512", crypto.SHA512, "tok"),
	wronglySigned("pss", "signs with the padding PSS", "PSS", 0, "tok"),
	{
		id: "J-14/other-key", does: "signs with a key that the authorizer does not have", setup: (*device).signedAuthorizer,
		act: func(d *device) rawmqtt.End {
			key := must(rsa.GenerateKey(rand.Reader, 3072))
			return d.signedConnect("tok", signatureOf(key, crypto.SHA256, "tok"))
		},
		sees: denied, code: "authorizer.signature_mismatch", says: "made with another key",
	},
}

// wronglySigned is a row of a device that signs text in place of its token, or with another hash
// than SHA-256; 0 is SHA-256 with the padding PSS. Nothing of it is accepted.
func wronglySigned(id, does, says string, hash crypto.Hash, text string) refusal {
	token := map[string]string{"encoded": "t&k", "jwt": "header.payload.signature"}[id]
	if token == "" {
		token = "tok"
	}
	return refusal{
		id: "J-14/" + id, does: does, setup: (*device).signedAuthorizer, sees: denied, code: "authorizer.signature_mismatch", says: says,
		act: func(d *device) rawmqtt.End { return d.signedConnect(token, signatureOf(d.signingKey(), hash, text)) },
	}
}

// signatureOf is a signature in base64; see [wronglySigned] for the hash.
func signatureOf(key *rsa.PrivateKey, hash crypto.Hash, text string) string {
	var raw []byte
	if hash == 0 {
		digest := crypto.SHA256.New()
		digest.Write([]byte(text))
		raw = must(rsa.SignPSS(rand.Reader, key, crypto.SHA256, digest.Sum(nil), nil))
	} else {
		digest := hash.New()
		digest.Write([]byte(text))
		raw = must(rsa.SignPKCS1v15(nil, key, hash, digest.Sum(nil)))
	}
	return base64.StdEncoding.EncodeToString(raw)
}

// signedConnect connects with a token and a signature, both URL-encoded once.
func (d *device) signedConnect(token, signature string) rawmqtt.End {
	d.t.Helper()
	return d.connectTo("", []string{"mqtt"}, byName+"&Token="+url.QueryEscape(token)+"&x-amz-customauthorizer-signature="+url.QueryEscape(signature), "ok")
}

// signingKey is the private key of [device.signedAuthorizer].
func (d *device) signingKey() *rsa.PrivateKey {
	d.t.Helper()
	text, err := os.ReadFile(d.vars["keyfile"])
	d.must(err)
	block, _ := pem.Decode(text)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	d.must(err)
	return key.(*rsa.PrivateKey)
}

// signedAuthorizer makes an authorizer that verifies signatures, and signs "tok".
func (d *device) signedAuthorizer() {
	d.t.Helper()
	dir := d.t.TempDir()
	run := func(args ...string) string {
		out, stderr, err := d.gw.Run(context.Background(), dir, "gatehouse", append([]string{"authorizer"}, args...)...)
		if err != nil {
			d.t.Fatalf("%v: %v\n%s%s", args, err, out, stderr)
		}
		return out
	}
	run("keygen", "--out", "token")
	public, err := os.ReadFile(filepath.Join(dir, "token.public.pem"))
	d.must(err)
	d.function()
	d.authorizer(func(in *iot.CreateAuthorizerInput) {
		in.SigningDisabled, in.TokenKeyName, in.TokenSigningPublicKeys = nil, aws.String("Token"), map[string]string{"k": string(public)}
	})
	d.permit(d.authorizerARN(), d.gw.AccountID, "")
	var signed struct{ EncodedSignature string }
	d.must(json.Unmarshal([]byte(run("sign", "-o", "json", "--key", "token.private.pem", "tok")), &signed))
	d.vars["signature"], d.vars["keyfile"] = signed.EncodedSignature, filepath.Join(dir, "token.private.pem")
}
