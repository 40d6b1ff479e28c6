package main

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"
	"github.com/aws/smithy-go"

	"github.com/gatehouse-iot/gatehouse/internal/identity"
	"github.com/gatehouse-iot/gatehouse/internal/server"
)

// authorizerCmd helps with custom authorizers.
type authorizerCmd struct {
	Keygen authorizerKeygenCmd `cmd:"" help:"Make the key pair that signs tokens."`
	Sign   authorizerSignCmd   `cmd:"" help:"Sign a token, and print what a device has to send."`
	Test   authorizerTestCmd   `cmd:"" help:"Ask an authorizer without a device, and print what it answers."`
	Replay authorizerReplayCmd `cmd:"" help:"Ask the authorizer of an attempt again, with what the device sent."`
}

// Help is the example that `gatehouse authorizer --help` ends with.
func (c *authorizerCmd) Help() string {
	return `Example:

  gatehouse authorizer keygen --out token
  aws iot create-authorizer --authorizer-name fleet --authorizer-function-arn ARN --token-key-name Token \
    --token-signing-public-keys key1="$(cat token.public.pem)" --status ACTIVE
  gatehouse authorizer sign --key token.private.pem --authorizer fleet --token-key-name Token TOKEN`
}

// keyBits is the size that AWS asks for at least. Source: custom-auth sheet 2.
const keyBits = 2048

// authorizerKeygenCmd makes an RSA key pair.
type authorizerKeygenCmd struct {
	Out string `help:"Files NAME.private.pem and NAME.public.pem; they must not exist." default:"token" placeholder:"NAME"`
}

// Help is the example that `gatehouse authorizer keygen --help` ends with.
func (c *authorizerKeygenCmd) Help() string {
	return `Example:

  gatehouse authorizer keygen --out token`
}

func (c *authorizerKeygenCmd) Run(a *app) error {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return err
	}
	files := map[string]string{"privateKeyFile": c.Out + ".private.pem", "publicKeyFile": c.Out + ".public.pem"}
	if err := writeNew(files["privateKeyFile"], 0o600, "PRIVATE KEY", private); err != nil {
		return err
	}
	if err := writeNew(files["publicKeyFile"], 0o644, "PUBLIC KEY", public); err != nil {
		return err
	}
	if a.Output == "json" {
		return json.NewEncoder(a.Stdout).Encode(files)
	}
	fmt.Fprintf(a.Stdout, "%s\n%s\n", files["privateKeyFile"], files["publicKeyFile"])
	fmt.Fprintf(a.Stderr, "give the public key to the authorizer: --token-signing-public-keys key1=\"$(cat %s)\"\n", shellQuote(files["publicKeyFile"]))
	return nil
}

// writeNew writes a PEM file that does not exist yet.
func writeNew(path string, mode os.FileMode, blockType string, der []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		return withHint(err, "choose another name with --out NAME")
	} else if err != nil {
		return err
	}
	return errors.Join(pem.Encode(f, &pem.Block{Type: blockType, Bytes: der}), f.Close())
}

// authorizerSignCmd signs a token as an authorizer verifies it.
type authorizerSignCmd struct {
	Key          string `help:"Private RSA key, PEM." required:"" placeholder:"FILE"`
	Authorizer   string `help:"Name of the authorizer, for the user name that is printed." default:"AUTHORIZER"`
	TokenKeyName string `help:"Name under which the authorizer takes the token." default:"TOKEN_KEY"`
	User         string `help:"User name in front of the parameters." placeholder:"NAME"`
	Print        string `help:"Print one thing alone: signature, encoded-signature, user-name or query." enum:",signature,encoded-signature,user-name,query" default:"" placeholder:"WHAT"`
	Token        string `arg:"" help:"The token: it is signed as it is, nothing else."`
}

// Help is the example that `gatehouse authorizer sign --help` ends with.
func (c *authorizerSignCmd) Help() string {
	return `Examples:

  gatehouse authorizer sign --key token.private.pem --authorizer fleet --token-key-name Token secret-token
  mosquitto_pub -h localhost -p 443 --tls-alpn mqtt --cafile ca.pem -i sensor-1 -t a -m b \
    -u "$(gatehouse authorizer sign --print user-name --key token.private.pem --authorizer fleet --token-key-name Token secret-token)"

The signature is RSASSA-PKCS1-v1_5 with SHA-256 over the token's bytes, in base64. In a user name or a query it has to be
URL-encoded, once; in an HTTP header it stands as it is.`
}

// signedToken is what `gatehouse authorizer sign -o json` prints.
type signedToken struct {
	Token            string `json:"token"`
	Signature        string `json:"signature"`        // base64: for HTTP headers, and for test-invoke-authorizer
	EncodedSignature string `json:"encodedSignature"` // the same for a URL or a user name
	UserName         string `json:"userName"`         // of a CONNECT
	Query            string `json:"query"`            // of an HTTPS publish or a WebSocket upgrade
}

func (c *authorizerSignCmd) Run(a *app) error {
	if c.Token == "" {
		return withHint(errors.New("the token is empty"), "a device that sends an empty token is refused; quote the shell variable that holds it, and look whether it is set")
	}
	raw, err := os.ReadFile(c.Key)
	if err != nil {
		return fmt.Errorf("--key: %w", err)
	}
	key, err := rsaKey(raw)
	if err != nil {
		return withHint(fmt.Errorf("--key %s: %w", c.Key, err), "make one with: gatehouse authorizer keygen")
	}
	sum := sha256.Sum256([]byte(c.Token))
	sig, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	if err != nil {
		return err
	}
	s := signedToken{Token: c.Token, Signature: base64.StdEncoding.EncodeToString(sig)}
	s.EncodedSignature = url.QueryEscape(s.Signature) // base64 has no space: + stands for itself and becomes %2B
	s.Query = identity.ParamAuthorizer + "=" + encodeParameter(c.Authorizer) + "&" + identity.ParamSignature + "=" + s.EncodedSignature + "&" +
		encodeParameter(c.TokenKeyName) + "=" + encodeParameter(c.Token)
	s.UserName = c.User + "?" + s.Query
	if a.Output == "json" {
		enc := json.NewEncoder(a.Stdout)
		enc.SetEscapeHTML(false)
		return enc.Encode(s)
	}
	if one, ok := map[string]string{"signature": s.Signature, "encoded-signature": s.EncodedSignature, "user-name": s.UserName, "query": s.Query}[c.Print]; ok {
		fmt.Fprintln(a.Stdout, one)
		return nil
	}
	fmt.Fprintf(a.Stdout, "signature (header, test-invoke-authorizer)\n  %s\n\nsignature, URL-encoded\n  %s\n\nMQTT user name\n  %s\n\nquery (HTTPS, WebSocket)\n  %s\n",
		s.Signature, s.EncodedSignature, s.UserName, s.Query)
	return nil
}

// encodeParameter encodes a name or value for a query, a space as %20: an
// authorizer takes a plus sign for one.
func encodeParameter(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// rsaKey reads a private RSA key: PKCS #8 or PKCS #1.
func rsaKey(text []byte) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("it is not in PEM form")
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("no private key (PEM block %s)", block.Type)
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("no RSA key; authorizers take no other")
	}
	return key, nil
}

// authorizerTestCmd asks an authorizer through TestInvokeAuthorizer.
type authorizerTestCmd struct {
	serverFlags
	Name       string `arg:"" help:"Name of the authorizer."`
	Token      string `help:"The token." placeholder:"TEXT"`
	Signature  string `help:"Its signature in base64." placeholder:"BASE64"`
	Key        string `help:"Private key that signs the token, in place of --signature." placeholder:"FILE"`
	UserName   string `help:"MQTT user name." placeholder:"TEXT"`
	Password   string `help:"MQTT password." placeholder:"TEXT" env:"GATEHOUSE_AUTHORIZER_PASSWORD"`
	ClientID   string `name:"client-id" help:"MQTT client ID." placeholder:"ID"`
	ServerName string `help:"Server name (SNI)." placeholder:"HOST"`
}

// Help is the example that `gatehouse authorizer test --help` ends with.
func (c *authorizerTestCmd) Help() string {
	return `Examples:

  gatehouse authorizer test fleet --client-id sensor-1 --user-name sensor-1 --password secret
  gatehouse authorizer test fleet --token secret-token --key token.private.pem

It asks whatever the status of the authorizer, as test-invoke-authorizer does. Exit code 0: authenticated; 1: not; 2: it could not be asked.`
}

func (c *authorizerTestCmd) Run(a *app) error {
	gw, err := c.connect(a.Ctx)
	if err != nil {
		return err
	}
	client := gw.iot()
	about, err := client.DescribeAuthorizer(a.Ctx, &iot.DescribeAuthorizerInput{AuthorizerName: &c.Name})
	if err != nil {
		return withHint(apiFailure("authorizer "+c.Name, err), "aws iot list-authorizers")
	}
	d := about.AuthorizerDescription
	in := &iot.TestInvokeAuthorizerInput{AuthorizerName: &c.Name}
	if c.Token != "" {
		in.Token = &c.Token
	}
	if c.Key != "" && c.Token != "" {
		sign := authorizerSignCmd{Key: c.Key, Token: c.Token}
		var out strings.Builder
		if err := sign.Run(&app{Stdout: &out, Stderr: a.Stderr, Output: "json"}); err != nil {
			return err
		}
		var s signedToken
		if err := json.Unmarshal([]byte(out.String()), &s); err != nil {
			return err
		}
		c.Signature = s.Signature
	}
	if c.Signature != "" {
		in.TokenSignature = &c.Signature
	}
	if c.UserName != "" || c.Password != "" || c.ClientID != "" {
		in.MqttContext = &types.MqttContext{}
		if c.UserName != "" {
			in.MqttContext.Username = &c.UserName
		}
		if c.Password != "" {
			in.MqttContext.Password = []byte(c.Password)
		}
		if c.ClientID != "" {
			in.MqttContext.ClientId = &c.ClientID
		}
	}
	if c.ServerName != "" {
		in.TlsContext = &types.TlsContext{ServerName: &c.ServerName}
	}
	out, err := client.TestInvokeAuthorizer(a.Ctx, in)
	var refused smithy.APIError
	if err != nil && !errors.As(err, &refused) {
		return err
	}
	if a.Output == "json" {
		var result any = out
		if refused != nil {
			result = map[string]string{"error": refused.ErrorCode(), "message": refused.ErrorMessage()}
		}
		enc := json.NewEncoder(a.Stdout)
		enc.SetIndent("", "  ")
		if err := enc.Encode(result); err != nil {
			return err
		}
	} else {
		printTest(a, d, out, refused)
	}
	if refused != nil || !aws.ToBool(out.IsAuthenticated) || d.Status != types.AuthorizerStatusActive {
		return errProblem
	}
	return nil
}

// printTest prints the ladder of a test, as far as it was climbed.
func printTest(a *app, d *types.AuthorizerDescription, out *iot.TestInvokeAuthorizerOutput, refused smithy.APIError) {
	rung := func(mark, text string) { fmt.Fprintf(a.Stdout, "  %-5s %s\n", mark, text) }
	fmt.Fprintf(a.Stdout, "authorizer %s\n\n", *d.AuthorizerName)
	rung("ok", "it exists; its function is "+*d.AuthorizerFunctionArn)
	if d.Status == types.AuthorizerStatusActive {
		rung("ok", "it is ACTIVE")
	} else {
		rung("FAIL", "it is "+string(d.Status)+", so devices are refused: aws iot update-authorizer --authorizer-name "+shellQuote(*d.AuthorizerName)+" --status ACTIVE")
	}
	switch {
	case refused != nil:
		rung("FAIL", refused.ErrorMessage())
		return
	case !aws.ToBool(d.SigningDisabled):
		rung("ok", "the signature of the token is right")
	default:
		rung("ok", "it verifies no signature")
	}
	rung("ok", "it may invoke its function, and that answered as it should")
	if !aws.ToBool(out.IsAuthenticated) {
		rung("FAIL", "the function answered isAuthenticated: false")
		return
	}
	rung("ok", "the function authenticated the client as "+*out.PrincipalId)
	fmt.Fprintf(a.Stdout, "\nrefresh after     %d s\ndisconnect after  %d s\n", *out.RefreshAfterInSeconds, *out.DisconnectAfterInSeconds)
	for i, text := range out.PolicyDocuments {
		fmt.Fprintf(a.Stdout, "policy %d          %s\n", i+1, text)
	}
}

// authorizerReplayCmd repeats a recorded invocation against the function as it is now.
type authorizerReplayCmd struct {
	serverFlags
	Attempt string `arg:"" help:"Trace ID of the attempt, as 'gatehouse explain' prints it."`
}

// Help is the example that `gatehouse authorizer replay --help` ends with.
func (c *authorizerReplayCmd) Help() string {
	return `Example:

  gatehouse authorizer replay 0f9d6a52-6a3c-4f0e-9a55-6f2f3c7f7d11

The server remembers the latest 512 connections until it restarts. Token, signature and password are redacted in what it
remembers, unless it runs with --record-authorizer-events. Exit code 0: the function answered; 1: it failed.`
}

// replayed is what `gatehouse authorizer replay -o json` prints.
type replayed struct {
	server.AuthorizerEvent
	FunctionError string          `json:"functionError,omitempty"`
	Answer        json.RawMessage `json:"answer"`
}

func (c *authorizerReplayCmd) Run(a *app) error {
	gw, err := c.connect(a.Ctx)
	if err != nil {
		return err
	}
	raw, err := gw.Get(a.Ctx, server.AuthorizerEventsPath+url.PathEscape(c.Attempt))
	if err != nil {
		return withHint(err, "the trace ID stands in: gatehouse explain --last")
	}
	var r replayed
	if err := json.Unmarshal(raw, &r.AuthorizerEvent); err != nil {
		return fmt.Errorf("answer of the server: %w", err)
	}
	r.Answer, err = gw.doAs(a.Ctx, "lambda", http.MethodPost, "/2015-03-31/functions/"+url.PathEscape(r.FunctionARN)+"/invocations", r.Event, nil)
	if err != nil {
		return err
	}
	// A function error is an answer too; its body is the runtime's.
	// Source: custom-auth sheet 15.
	var failed struct {
		Type string `json:"errorType"`
	}
	if json.Unmarshal(r.Answer, &failed) == nil {
		r.FunctionError = failed.Type
	}
	if a.Output == "json" {
		if err := json.NewEncoder(a.Stdout).Encode(r); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(a.Stdout, "authorizer  %s\nfunction    %s\nevent       %s\nanswer      %s\n", r.Authorizer, r.FunctionARN, r.Event, r.Answer)
		if r.Redacted {
			fmt.Fprintln(a.Stderr, "credentials were redacted in the event; to replay them, run the server with --record-authorizer-events")
		}
	}
	if r.FunctionError != "" {
		return errProblem
	}
	return nil
}
