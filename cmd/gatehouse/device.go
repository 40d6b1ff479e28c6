package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"
	"github.com/aws/smithy-go"
)

// deviceCmd makes devices that may connect.
type deviceCmd struct {
	Add deviceAddCmd `cmd:"" help:"Make a thing with an active certificate and a least-privilege policy, and print the command that connects it."`
}

// Help is the example that `gatehouse device --help` ends with.
func (c *deviceCmd) Help() string {
	return `Example:

  gatehouse device add sensor-1 --out certs/`
}

// deviceAddCmd makes one device through the AWS API, as any tool would.
type deviceAddCmd struct {
	serverFlags
	Name  string   `arg:"" help:"Thing name, and the client ID that the policy allows: letters, digits, ':', '_', '-'."`
	Out   string   `help:"Folder for certificate, keys and root CA; it is made when missing." default:"." placeholder:"DIR"`
	Topic []string `help:"Topic pattern that the device may publish and subscribe to; '*' is any text, '{name}' the device. Repeat for more." placeholder:"PATTERN"`
}

// Help is the example that `gatehouse device add --help` ends with.
func (c *deviceAddCmd) Help() string {
	return `Examples:

  gatehouse device add sensor-1 --out certs/
  gatehouse device add pump-7 --topic 'plant/{name}/*' --topic 'broadcast/*'

Without --topic: sensors/NAME/*, NAME/* and $aws/things/NAME/*.

The files are named as the AWS console names them: ID-certificate.pem.crt, ID-private.pem.key, ID-public.pem.key
and AmazonRootCA1.pem. Short names lead to them: NAME.cert.pem, NAME.private.key and NAME.public.key.`
}

// defaultTopics are the patterns of a device that was made without --topic.
var defaultTopics = []string{"sensors/{name}/*", "{name}/*", "$aws/things/{name}/*"}

var thingNameForm = regexp.MustCompile(`^[a-zA-Z0-9:_-]{1,128}$`)

// addedDevice is what `device add -o json` prints.
type addedDevice struct {
	ThingName       string   `json:"thingName"`
	ThingARN        string   `json:"thingArn"`
	CertificateID   string   `json:"certificateId"`
	CertificateARN  string   `json:"certificateArn"`
	PolicyName      string   `json:"policyName"`
	PolicyExisted   bool     `json:"policyExisted,omitempty"` // it was there, and was left as it is
	CertificateFile string   `json:"certificateFile"`
	PrivateKeyFile  string   `json:"privateKeyFile"`
	PublicKeyFile   string   `json:"publicKeyFile"`
	CAFile          string   `json:"caFile"`
	Endpoint        string   `json:"endpoint"`
	Port            int      `json:"port"`
	Topics          []string `json:"topics"`

	short shortNames
}

// shortNames are the names by the thing, for commands that people read. Where a
// link can't be made they are the long ones.
type shortNames struct{ certificate, privateKey, publicKey string }

func (c *deviceAddCmd) Run(a *app) error {
	if !thingNameForm.MatchString(c.Name) {
		return withHint(fmt.Errorf("%q can't be a thing name", c.Name), "use 1 to 128 letters, digits, ':', '_' and '-'")
	}
	gw, err := c.connect(a.Ctx)
	if err != nil {
		return err
	}
	ca, err := gw.rootCA()
	if err != nil {
		return err
	}
	// The folder comes first: a key that can't be written is lost for ever.
	if err := os.MkdirAll(c.Out, 0o755); err != nil {
		return fmt.Errorf("make --out folder: %w", err)
	}
	if probe, err := os.CreateTemp(c.Out, ".gatehouse-*"); err != nil {
		return fmt.Errorf("--out folder %s can't be written: %w", c.Out, err)
	} else {
		probe.Close()
		os.Remove(probe.Name())
	}
	topics := c.Topic
	if len(topics) == 0 {
		topics = defaultTopics
	}
	d := addedDevice{ThingName: c.Name, Endpoint: gw.endpoint, Port: gw.mqttPort}
	for _, t := range topics {
		d.Topics = append(d.Topics, strings.ReplaceAll(t, "{name}", c.Name))
	}
	if err := c.make(a.Ctx, gw, &d, ca); err != nil {
		return err
	}
	if a.Output == "json" {
		return json.NewEncoder(a.Stdout).Encode(d)
	}
	return c.report(a.Stdout, d)
}

// make creates thing, policy and certificate and attaches them. The certificate
// becomes active last, so that a failure leaves nothing that may connect.
func (c *deviceAddCmd) make(ctx context.Context, gw *gatehouse, d *addedDevice, ca []byte) error {
	api := gw.iot()
	thing, err := api.CreateThing(ctx, &iot.CreateThingInput{ThingName: &c.Name})
	if err != nil {
		return apiFailure("create thing", err)
	}
	principals, err := api.ListThingPrincipals(ctx, &iot.ListThingPrincipalsInput{ThingName: &c.Name})
	if err != nil {
		return apiFailure("list the thing's principals", err)
	}
	if len(principals.Principals) > 0 {
		return withHint(fmt.Errorf("device %q exists already, with %s", c.Name, strings.Join(principals.Principals, ", ")),
			"choose another name, or remove it: aws iot detach-thing-principal --thing-name %s --principal %s && aws iot delete-thing --thing-name %s",
			c.Name, principals.Principals[0], c.Name)
	}
	d.ThingARN = aws.ToString(thing.ThingArn)
	d.PolicyName, err = c.ensurePolicy(ctx, api, d)
	if err != nil {
		return err
	}
	cert, err := api.CreateKeysAndCertificate(ctx, &iot.CreateKeysAndCertificateInput{})
	if err != nil {
		return apiFailure("create keys and certificate", err)
	}
	d.CertificateID, d.CertificateARN = aws.ToString(cert.CertificateId), aws.ToString(cert.CertificateArn)
	d.CertificateFile = filepath.Join(c.Out, d.CertificateID+"-certificate.pem.crt")
	d.PrivateKeyFile = filepath.Join(c.Out, d.CertificateID+"-private.pem.key")
	d.PublicKeyFile = filepath.Join(c.Out, d.CertificateID+"-public.pem.key")
	d.CAFile = filepath.Join(c.Out, "AmazonRootCA1.pem")
	for _, f := range []struct {
		path, content string
		mode          os.FileMode
	}{
		{d.PrivateKeyFile, aws.ToString(cert.KeyPair.PrivateKey), 0o600},
		{d.PublicKeyFile, aws.ToString(cert.KeyPair.PublicKey), 0o644},
		{d.CertificateFile, aws.ToString(cert.CertificatePem), 0o644},
		{d.CAFile, string(ca), 0o644},
	} {
		if err := os.WriteFile(f.path, []byte(f.content), f.mode); err != nil {
			return fmt.Errorf("write device files: %w", err)
		}
	}
	d.short = shortNames{
		certificate: link(c.Out, c.Name, ".cert.pem", d.CertificateFile),
		privateKey:  link(c.Out, c.Name, ".private.key", d.PrivateKeyFile),
		publicKey:   link(c.Out, c.Name, ".public.key", d.PublicKeyFile),
	}
	if _, err := api.AttachPolicy(ctx, &iot.AttachPolicyInput{PolicyName: &d.PolicyName, Target: &d.CertificateARN}); err != nil {
		return apiFailure("attach policy", err)
	}
	if _, err := api.AttachThingPrincipal(ctx, &iot.AttachThingPrincipalInput{ThingName: &c.Name, Principal: &d.CertificateARN}); err != nil {
		return apiFailure("attach the certificate to the thing", err)
	}
	if _, err := api.UpdateCertificate(ctx, &iot.UpdateCertificateInput{CertificateId: &d.CertificateID, NewStatus: types.CertificateStatusActive}); err != nil {
		return apiFailure("activate the certificate", err)
	}
	return nil
}

// ensurePolicy makes the device's policy. One of the same name stays as it is:
// whoever made it may have narrowed it.
func (c *deviceAddCmd) ensurePolicy(ctx context.Context, api *iot.Client, d *addedDevice) (string, error) {
	name := strings.ReplaceAll(c.Name, ":", "_") + "-policy" // a policy name has no colon
	document, err := devicePolicy(d.ThingARN, c.Name, d.Topics)
	if err != nil {
		return "", err
	}
	_, err = api.CreatePolicy(ctx, &iot.CreatePolicyInput{PolicyName: &name, PolicyDocument: &document})
	if _, d.PolicyExisted = errors.AsType[*types.ResourceAlreadyExistsException](err); d.PolicyExisted {
		return name, nil
	}
	if err != nil {
		return "", apiFailure("create policy", err)
	}
	return name, nil
}

// devicePolicy is the least that a device needs: to connect under its own name,
// and its own topics. thingARN tells partition, Region and account.
func devicePolicy(thingARN, name string, topics []string) (string, error) {
	prefix, _, ok := strings.Cut(thingARN, "thing/")
	if !ok {
		return "", fmt.Errorf("the server answered the thing ARN %q", thingARN)
	}
	type statement struct {
		Effect   string
		Action   []string
		Resource []string
	}
	arns := func(kind string) (list []string) {
		for _, t := range topics {
			list = append(list, prefix+kind+"/"+t)
		}
		return list
	}
	raw, err := json.MarshalIndent(struct {
		Version   string
		Statement []statement
	}{"2012-10-17", []statement{
		{"Allow", []string{"iot:Connect"}, []string{prefix + "client/" + name}},
		{"Allow", []string{"iot:Publish", "iot:RetainPublish", "iot:Receive"}, arns("topic")},
		{"Allow", []string{"iot:Subscribe"}, arns("topicfilter")},
	}}, "", "  ")
	return string(raw), err
}

// link makes the short name of file in folder dir: thing name and suffix. A link
// of an earlier device is replaced, anything else stays, and then the long name
// is the answer.
func link(dir, thing, suffix, file string) string {
	short := filepath.Join(dir, strings.ReplaceAll(thing, ":", "_")+suffix)
	if info, err := os.Lstat(short); err == nil && info.Mode()&os.ModeSymlink != 0 {
		os.Remove(short) // Symlink says whether it worked
	}
	if err := os.Symlink(filepath.Base(file), short); err != nil {
		return file
	}
	return short
}

// report says what was made and how to use it, on 80 columns where names allow.
func (c *deviceAddCmd) report(w io.Writer, d addedDevice) error {
	topic := strings.TrimSuffix(d.Topics[0], "*")
	topic = strings.TrimSuffix(topic, "/") + "/temp"
	policy := "connect as " + d.ThingName + "; publish, subscribe and receive:"
	if d.PolicyExisted {
		policy = "existed already and was left as it is"
	}
	var b strings.Builder
	fmt.Fprintf(&b, `Device %s may connect.

  thing        %s
  certificate  %s
               ACTIVE, attached to the thing
  policy       %s
               %s
`, d.ThingName, d.ThingName, d.CertificateID, d.PolicyName, policy)
	if !d.PolicyExisted {
		for _, t := range d.Topics {
			fmt.Fprintf(&b, "               %s\n", t)
		}
	}
	fmt.Fprintf(&b, "  files        %s\n", d.short.certificate)
	fmt.Fprintf(&b, "               %s\n", d.short.privateKey)
	fmt.Fprintf(&b, "               %s\n", d.short.publicKey)
	fmt.Fprintf(&b, "               %s\n", d.CAFile)
	if d.short.certificate != d.CertificateFile {
		fmt.Fprintf(&b, "               short names of %.8s...-certificate.pem.crt and so on\n", d.CertificateID)
	}
	fmt.Fprintf(&b, `
Connect it:

  mosquitto_pub --cafile %s \
    --cert %s --key %s \
    -h %s -p %d -i %s -t %s -m 21 -q 1

See what the gateway saw:

  gatehouse explain%s --client-id %s
`, shellQuote(d.CAFile), shellQuote(d.short.certificate), shellQuote(d.short.privateKey),
		d.Endpoint, d.Port, shellQuote(d.ThingName), shellQuote(topic), c.flags(), shellQuote(d.ThingName))
	_, err := io.WriteString(w, b.String())
	return err
}

// stepError is what the API answers to a step.
type stepError struct {
	step    string
	refused smithy.APIError
}

func (e *stepError) Error() string {
	return fmt.Sprintf("%s: %s: %s", e.step, e.refused.ErrorCode(), e.refused.ErrorMessage())
}

func (e *stepError) Unwrap() error { return e.refused }

// apiFailure says which step the API refused, in the API's own words.
func apiFailure(step string, err error) error {
	if refused, ok := errors.AsType[smithy.APIError](err); ok {
		return &stepError{step, refused}
	}
	return fmt.Errorf("%s: %w", step, err)
}
