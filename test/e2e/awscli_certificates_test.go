//nolint:staticcheck // SA1019: what AWS deprecated is served, and tested, too
package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"

	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
)

var nobody = strings.Repeat("ab", 32) // the ID of no certificate

// What the AWS CLI makes of certificates, with CAs that openssl made.
func TestAWSCLICertificates(t *testing.T) {
	gatehouseproc.Need(t, "aws")
	gatehouseproc.Need(t, "openssl")
	t.Parallel()
	gw := gatehouseproc.Start(t)
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	openssl := func(args string) { gw.MustRun(t, "sh", "-c", "cd "+dir+" && openssl "+args) }

	if out := gw.MustRun(t, "aws", "iot", "list-certificates"); strings.Join(strings.Fields(out), "") != `{"certificates":[]}` {
		t.Errorf("list-certificates of none: %s", out)
	}
	var made struct {
		CertificateArn, CertificateId, CertificatePem string
		KeyPair                                       struct{ PublicKey, PrivateKey string }
	}
	gw.JSON(t, &made, "aws", "iot", "create-keys-and-certificate", "--set-as-active",
		"--certificate-pem-outfile", file("c.pem"), "--public-key-outfile", file("pub.pem"), "--private-key-outfile", file("key.pem"))
	openssl("verify -CAfile " + gw.CAFile + " c.pem || openssl x509 -in c.pem -noout")
	openssl("x509 -in c.pem -noout -pubkey | cmp - pub.pem")
	openssl("pkey -in key.pem -pubout | cmp - pub.pem")

	// A CA of the mode DEFAULT proves that it holds its key.
	var code struct{ RegistrationCode string }
	gw.JSON(t, &code, "aws", "iot", "get-registration-code")
	openssl("req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj '/CN=Factory' -days 30 -addext basicConstraints=critical,CA:TRUE")
	openssl("req -new -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -keyout v.key -out v.csr -subj /CN=" + code.RegistrationCode)
	openssl("x509 -req -in v.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out v.pem -days 30 -sha256")
	openssl("req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout d.key -out d.csr -subj /CN=device")
	openssl("x509 -req -in d.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out d.pem -days 30 -sha256")
	var ca, device struct{ CertificateArn, CertificateId string }
	gw.JSON(t, &ca, "aws", "iot", "register-ca-certificate", "--ca-certificate", "file://"+file("ca.pem"),
		"--verification-certificate", "file://"+file("v.pem"), "--set-as-active", "--allow-auto-registration", "--tags", "Key=line,Value=7")
	gw.JSON(t, &device, "aws", "iot", "register-certificate", "--certificate-pem", "file://"+file("d.pem"),
		"--ca-certificate-pem", "file://"+file("ca.pem"), "--status", "ACTIVE")
	for path, id := range map[string]string{"c.pem": made.CertificateId, "ca.pem": ca.CertificateId, "d.pem": device.CertificateId} {
		block, _ := pem.Decode(ok2(os.ReadFile(file(path)))(t))
		if sum := sha256.Sum256(block.Bytes); hex.EncodeToString(sum[:]) != id {
			t.Errorf("the ID of %s is %s, want its SHA-256", path, id)
		}
	}
	var described struct{ CertificateDescription map[string]any }
	gw.JSON(t, &described, "aws", "iot", "describe-certificate", "--certificate-id", device.CertificateId)
	d := described.CertificateDescription
	if d["status"] != "ACTIVE" || d["certificateMode"] != "DEFAULT" || d["caCertificateId"] != ca.CertificateId || d["ownedBy"] != gw.AccountID {
		t.Errorf("describe-certificate: %v", d)
	}
	if since := time.Since(cliTime(t, d["creationDate"])); since < 0 || since > time.Minute {
		t.Errorf("created at %v", d["creationDate"])
	}
	gw.JSON(t, &described, "aws", "iot", "describe-ca-certificate", "--certificate-id", ca.CertificateId)
	if c := described.CertificateDescription; c["status"] != "ACTIVE" || c["autoRegistrationStatus"] != "ENABLE" || c["certificateMode"] != "DEFAULT" {
		t.Errorf("describe-ca-certificate: %v", c)
	}
	// Here --page-size is the API's own member: the CLI leaves paging to the user.
	type certificates struct {
		Certificates []map[string]any
		NextMarker   string
	}
	var first, second certificates
	gw.JSON(t, &first, "aws", "iot", "list-certificates", "--page-size", "1", "--ascending-order")
	if len(first.Certificates) != 1 || first.Certificates[0]["certificateId"] != made.CertificateId || first.NextMarker == "" {
		t.Fatalf("list-certificates, a page of one: %v", first)
	}
	gw.JSON(t, &second, "aws", "iot", "list-certificates", "--page-size", "1", "--ascending-order", "--marker", first.NextMarker)
	if len(second.Certificates) != 1 || second.Certificates[0]["certificateArn"] != device.CertificateArn || second.Certificates[0]["certificateMode"] != "DEFAULT" || second.NextMarker != "" {
		t.Errorf("list-certificates, the last page: %v", second)
	}
	// What the CLI prints of a refusal: exception and operation.
	out := awsFails(t, gw, "iot", "delete-certificate", "--certificate-id", device.CertificateId)
	if !strings.Contains(out, "(CertificateStateException) when calling the DeleteCertificate operation: Certificate must be deactivated (not ACTIVE) before deletion.") {
		t.Errorf("delete-certificate of an active one: %s", out)
	}
}

func TestCertificateAPI(t *testing.T) {
	t.Parallel()
	gw := gatehouseproc.Start(t)
	api := gw.IoT()
	ctx := t.Context()
	arn := func(kind, id string) string { return "arn:aws:iot:us-east-1:123456789012:" + kind + "/" + id }

	t.Run("empty lists are there", func(t *testing.T) {
		if l := ok2(api.ListCertificates(ctx, &iot.ListCertificatesInput{}))(t); l.Certificates == nil || l.NextMarker != nil {
			t.Errorf("ListCertificates: %+v", l)
		}
		if l := ok2(api.ListCACertificates(ctx, &iot.ListCACertificatesInput{}))(t); l.Certificates == nil || l.NextMarker != nil {
			t.Errorf("ListCACertificates: %+v", l)
		}
		if l := ok2(api.ListCertificatesByCA(ctx, &iot.ListCertificatesByCAInput{CaCertificateId: &nobody}))(t); l.Certificates == nil || l.NextMarker != nil {
			t.Errorf("ListCertificatesByCA: %+v", l)
		}
	})

	t.Run("issued", func(t *testing.T) {
		before := time.Now()
		made := ok2(api.CreateKeysAndCertificate(ctx, &iot.CreateKeysAndCertificateInput{}))(t)
		id := *made.CertificateId
		d := ok2(api.DescribeCertificate(ctx, &iot.DescribeCertificateInput{CertificateId: &id}))(t).CertificateDescription
		if d.Status != types.CertificateStatusInactive || d.CertificateMode != types.CertificateModeDefault || *d.CustomerVersion != 1 || *d.CertificateArn != arn("cert", id) || d.CaCertificateId != nil {
			t.Errorf("described as %+v", d)
		}
		if forever := time.Date(2049, 12, 31, 23, 59, 59, 0, time.UTC); !d.Validity.NotAfter.Equal(forever) {
			t.Errorf("valid until %v, want %v", d.Validity.NotAfter, forever)
		}
		if early := before.Sub(*d.Validity.NotBefore); early < time.Minute || early > 3*time.Minute {
			t.Errorf("valid since %v before its creation, want 2 minutes", early)
		}
		update := func(status types.CertificateStatus) error {
			return fail(api.UpdateCertificate(ctx, &iot.UpdateCertificateInput{CertificateId: &id, NewStatus: status}))
		}
		for _, status := range []types.CertificateStatus{types.CertificateStatusActive, types.CertificateStatusRevoked, types.CertificateStatusActive} {
			if err := update(status); err != nil {
				t.Errorf("%s: %v", status, err)
			}
		}
		wantAWSError(t, update(types.CertificateStatusPendingActivation), "InvalidRequestException", 400, "PENDING_ACTIVATION")
		wantAWSError(t, update("GONE"), "InvalidRequestException", 400, "1 validation error detected: Value 'GONE' at 'newStatus' failed to satisfy constraint: Member must satisfy enum value set: [")
		after := ok2(api.DescribeCertificate(ctx, &iot.DescribeCertificateInput{CertificateId: &id}))(t).CertificateDescription
		if *after.CustomerVersion != 4 || *after.GenerationId == *d.GenerationId || !after.LastModifiedDate.After(*d.LastModifiedDate) || !after.CreationDate.Equal(*d.CreationDate) {
			t.Errorf("after three changes %+v, before %+v", after, d)
		}

		// It goes only when nothing holds on to it.
		remove := func(force bool) error {
			return fail(api.DeleteCertificate(ctx, &iot.DeleteCertificateInput{CertificateId: &id, ForceDelete: force}))
		}
		ok2(api.CreateThing(ctx, &iot.CreateThingInput{ThingName: aws.String("holder")}))(t)
		ok2(api.CreatePolicy(ctx, &iot.CreatePolicyInput{PolicyName: aws.String("holder"), PolicyDocument: aws.String(connectAnything)}))(t)
		ok2(api.AttachThingPrincipal(ctx, &iot.AttachThingPrincipalInput{ThingName: aws.String("holder"), Principal: made.CertificateArn}))(t)
		ok2(api.AttachPolicy(ctx, &iot.AttachPolicyInput{PolicyName: aws.String("holder"), Target: made.CertificateArn}))(t)
		wantAWSError(t, remove(true), "CertificateStateException", 406, "Certificate must be deactivated (not ACTIVE) before deletion.")
		if err := update(types.CertificateStatusInactive); err != nil {
			t.Fatal(err)
		}
		wantAWSError(t, remove(true), "DeleteConflictException", 409, "Things must be detached before deletion (arn: "+*made.CertificateArn+")")
		ok2(api.DetachThingPrincipal(ctx, &iot.DetachThingPrincipalInput{ThingName: aws.String("holder"), Principal: made.CertificateArn}))(t)
		wantAWSError(t, remove(false), "DeleteConflictException", 409, "Certificate policies must be detached before deletion (arn: "+*made.CertificateArn+")")
		if err := remove(true); err != nil {
			t.Errorf("with force: %v", err)
		}
		wantAWSError(t, remove(true), "ResourceNotFoundException", 404, id)
		if l := ok2(api.ListTargetsForPolicy(ctx, &iot.ListTargetsForPolicyInput{PolicyName: aws.String("holder")}))(t); len(l.Targets) != 0 {
			t.Errorf("the policy of the deleted certificate is attached to %v", l.Targets)
		}
	})

	t.Run("unknown and malformed", func(t *testing.T) {
		for name, err := range map[string]error{
			"describe":       fail(api.DescribeCertificate(ctx, &iot.DescribeCertificateInput{CertificateId: &nobody})),
			"update":         fail(api.UpdateCertificate(ctx, &iot.UpdateCertificateInput{CertificateId: &nobody, NewStatus: types.CertificateStatusActive})),
			"delete":         fail(api.DeleteCertificate(ctx, &iot.DeleteCertificateInput{CertificateId: &nobody})),
			"describe a CA":  fail(api.DescribeCACertificate(ctx, &iot.DescribeCACertificateInput{CertificateId: &nobody})),
			"update a CA":    fail(api.UpdateCACertificate(ctx, &iot.UpdateCACertificateInput{CertificateId: &nobody, NewStatus: types.CACertificateStatusActive})),
			"delete a CA":    fail(api.DeleteCACertificate(ctx, &iot.DeleteCACertificateInput{CertificateId: &nobody})),
			"no such policy": fail(api.ListTargetsForPolicy(ctx, &iot.ListTargetsForPolicyInput{PolicyName: aws.String("none")})),
		} {
			t.Run(name, func(t *testing.T) { wantAWSError(t, err, "ResourceNotFoundException", 404) })
		}
		short := "abc"
		for name, err := range map[string]error{
			"certificate ID":    fail(api.DescribeCertificate(ctx, &iot.DescribeCertificateInput{CertificateId: &short})),
			"CA certificate ID": fail(api.DescribeCACertificate(ctx, &iot.DescribeCACertificateInput{CertificateId: &short})),
			"page size":         fail(api.ListCertificates(ctx, &iot.ListCertificatesInput{PageSize: aws.Int32(251)})),
			"marker":            fail(api.ListCertificates(ctx, &iot.ListCertificatesInput{Marker: aws.String("Zm9v")})),
			"CSR":               fail(api.CreateCertificateFromCsr(ctx, &iot.CreateCertificateFromCsrInput{CertificateSigningRequest: aws.String("no request")})),
			"long CSR":          fail(api.CreateCertificateFromCsr(ctx, &iot.CreateCertificateFromCsrInput{CertificateSigningRequest: aws.String(strings.Repeat("x", 4097))})),
		} {
			t.Run(name, func(t *testing.T) { wantAWSError(t, err, "InvalidRequestException", 400) })
		}
	})

	t.Run("brought without a CA", func(t *testing.T) {
		text := bringCA(t, "unknown").sign("device")
		in := &iot.RegisterCertificateWithoutCAInput{CertificatePem: text, Status: types.CertificateStatusActive}
		made := ok2(api.RegisterCertificateWithoutCA(ctx, in))(t)
		d := ok2(api.DescribeCertificate(ctx, &iot.DescribeCertificateInput{CertificateId: made.CertificateId}))(t).CertificateDescription
		if d.CertificateMode != types.CertificateModeSniOnly || d.Status != types.CertificateStatusActive || *d.CertificatePem != *text {
			t.Errorf("described as %+v", d)
		}
		for name, err := range map[string]error{
			"again":           fail(api.RegisterCertificateWithoutCA(ctx, in)),
			"again with a CA": fail(api.RegisterCertificate(ctx, &iot.RegisterCertificateInput{CertificatePem: text})),
		} {
			t.Run(name, func(t *testing.T) {
				wantAWSError(t, err, "ResourceAlreadyExistsException", 409, "The certificate is already provisioned or registered")
				if e, found := errors.AsType[*types.ResourceAlreadyExistsException](err); !found || *e.ResourceId != *made.CertificateId || *e.ResourceArn != *made.CertificateArn {
					t.Errorf("the exception is about %+v", e)
				}
			})
		}
		wantAWSError(t, fail(api.RegisterCertificateWithoutCA(ctx, &iot.RegisterCertificateWithoutCAInput{CertificatePem: aws.String("x")})), "CertificateValidationException", 400)
		wantAWSError(t, fail(api.RegisterCertificateWithoutCA(ctx, &iot.RegisterCertificateWithoutCAInput{CertificatePem: bringCA(t, "u").sign("d"), Status: types.CertificateStatusPendingTransfer})), "InvalidRequestException", 400, "PENDING_TRANSFER")
	})

	t.Run("registration code", func(t *testing.T) {
		code := func() string {
			return *ok2(api.GetRegistrationCode(ctx, &iot.GetRegistrationCodeInput{}))(t).RegistrationCode
		}
		first := code()
		if len(first) != 64 || code() != first {
			t.Errorf("code %q, want 64 digits that stay", first)
		}
		ok2(api.DeleteRegistrationCode(ctx, &iot.DeleteRegistrationCodeInput{}))(t)
		wantAWSError(t, fail(api.DeleteRegistrationCode(ctx, &iot.DeleteRegistrationCodeInput{})), "ResourceNotFoundException", 404)
		if code() == first {
			t.Error("the same code after its deletion")
		}
	})

	t.Run("brought CAs", func(t *testing.T) {
		code := *ok2(api.GetRegistrationCode(ctx, &iot.GetRegistrationCodeInput{}))(t).RegistrationCode
		ca := bringCA(t, "Factory")
		in := func(change func(*iot.RegisterCACertificateInput)) *iot.RegisterCACertificateInput {
			r := &iot.RegisterCACertificateInput{CaCertificate: ca.pem(), VerificationCertificate: ca.sign(code)}
			if change != nil {
				change(r)
			}
			return r
		}
		for name, tt := range map[string]struct {
			change func(*iot.RegisterCACertificateInput)
			code   string
			status int
		}{
			"no CA":                  {func(r *iot.RegisterCACertificateInput) { r.CaCertificate = ca.sign("leaf") }, "CertificateValidationException", 400},
			"no PEM":                 {func(r *iot.RegisterCACertificateInput) { r.CaCertificate = aws.String("x") }, "CertificateValidationException", 400},
			"no verification":        {func(r *iot.RegisterCACertificateInput) { r.VerificationCertificate = nil }, "CertificateValidationException", 400},
			"another CA's signature": {func(r *iot.RegisterCACertificateInput) { r.VerificationCertificate = bringCA(t, "Factory").sign(code) }, "CertificateValidationException", 400},
			"another code":           {func(r *iot.RegisterCACertificateInput) { r.VerificationCertificate = ca.sign(nobody) }, "RegistrationCodeValidationException", 400},
			"verification, SNI_ONLY": {func(r *iot.RegisterCACertificateInput) { r.CertificateMode = types.CertificateModeSniOnly }, "InvalidRequestException", 400},
			"unknown template": {func(r *iot.RegisterCACertificateInput) {
				r.RegistrationConfig = &types.RegistrationConfig{TemplateName: aws.String("none")}
			}, "ResourceNotFoundException", 404},
			"template and body": {func(r *iot.RegisterCACertificateInput) {
				r.RegistrationConfig = &types.RegistrationConfig{TemplateName: aws.String("t"), TemplateBody: aws.String("{}")}
			}, "InvalidRequestException", 400},
		} {
			t.Run(name, func(t *testing.T) {
				wantAWSError(t, fail(api.RegisterCACertificate(ctx, in(tt.change))), tt.code, tt.status)
			})
		}
		made := ok2(api.RegisterCACertificate(ctx, in(nil)))(t)
		id := *made.CertificateId
		err := fail(api.RegisterCACertificate(ctx, in(nil)))
		wantAWSError(t, err, "ResourceAlreadyExistsException", 409, id)
		if e, found := errors.AsType[*types.ResourceAlreadyExistsException](err); !found || *e.ResourceId != id || *e.ResourceArn != arn("cacert", id) {
			t.Errorf("the exception is about %+v", e)
		}
		d := ok2(api.DescribeCACertificate(ctx, &iot.DescribeCACertificateInput{CertificateId: &id}))(t)
		if c := d.CertificateDescription; c.Status != types.CACertificateStatusInactive || c.AutoRegistrationStatus != types.AutoRegistrationStatusDisable || *c.OwnedBy != gw.AccountID || c.Validity.NotAfter == nil {
			t.Errorf("described as %+v", c)
		}

		wantAWSError(t, fail(api.RegisterCertificate(ctx, &iot.RegisterCertificateInput{CertificatePem: ca.sign("d")})), "CertificateStateException", 406, "INACTIVE", id)
		ok2(api.UpdateCACertificate(ctx, &iot.UpdateCACertificateInput{
			CertificateId: &id, NewStatus: types.CACertificateStatusActive, NewAutoRegistrationStatus: types.AutoRegistrationStatusEnable,
			RegistrationConfig: &types.RegistrationConfig{TemplateBody: aws.String(`{"Resources":{}}`), RoleArn: aws.String("arn:aws:iam::123456789012:role/jitp")},
		}))(t)
		d = ok2(api.DescribeCACertificate(ctx, &iot.DescribeCACertificateInput{CertificateId: &id}))(t)
		if d.RegistrationConfig == nil || *d.RegistrationConfig.TemplateBody != `{"Resources":{}}` || d.CertificateDescription.AutoRegistrationStatus != types.AutoRegistrationStatusEnable {
			t.Errorf("after the update %+v %+v", d.CertificateDescription, d.RegistrationConfig)
		}
		device := ok2(api.RegisterCertificate(ctx, &iot.RegisterCertificateInput{CertificatePem: ca.sign("d"), SetAsActive: aws.Bool(true)}))(t)
		c := ok2(api.DescribeCertificate(ctx, &iot.DescribeCertificateInput{CertificateId: device.CertificateId}))(t).CertificateDescription
		if c.Status != types.CertificateStatusActive || *c.CaCertificateId != id || c.CertificateMode != types.CertificateModeDefault {
			t.Errorf("a certificate of the CA: %+v", c)
		}
		stranger := bringCA(t, "Stranger")
		wantAWSError(t, fail(api.RegisterCertificate(ctx, &iot.RegisterCertificateInput{CertificatePem: stranger.sign("d")})), "CertificateValidationException", 400, "CN=Stranger")
		wantAWSError(t, fail(api.RegisterCertificate(ctx, &iot.RegisterCertificateInput{CertificatePem: stranger.sign("d"), CaCertificatePem: ca.pem()})), "CertificateValidationException", 400)
		twin := ca.again("Factory")
		ok2(api.RegisterCACertificate(ctx, &iot.RegisterCACertificateInput{CaCertificate: twin.pem(), CertificateMode: types.CertificateModeSniOnly, SetAsActive: true}))(t)
		wantAWSError(t, fail(api.RegisterCertificate(ctx, &iot.RegisterCertificateInput{CertificatePem: ca.sign("e")})), "CertificateConflictException", 409, "caCertificatePem")
		for range 8 { // ten of one subject are the limit
			ok2(api.RegisterCACertificate(ctx, &iot.RegisterCACertificateInput{CaCertificate: ca.again("Factory").pem(), CertificateMode: types.CertificateModeSniOnly}))(t)
		}
		wantAWSError(t, fail(api.RegisterCACertificate(ctx, &iot.RegisterCACertificateInput{CaCertificate: ca.again("Factory").pem(), CertificateMode: types.CertificateModeSniOnly})), "LimitExceededException", 410)

		remove := func() error {
			return fail(api.DeleteCACertificate(ctx, &iot.DeleteCACertificateInput{CertificateId: &id}))
		}
		wantAWSError(t, remove(), "CertificateStateException", 406, "before deletion")
		ok2(api.UpdateCACertificate(ctx, &iot.UpdateCACertificateInput{CertificateId: &id, NewStatus: types.CACertificateStatusInactive, RemoveAutoRegistration: true}))(t)
		if d = ok2(api.DescribeCACertificate(ctx, &iot.DescribeCACertificateInput{CertificateId: &id}))(t); d.RegistrationConfig != nil {
			t.Errorf("the registration configuration is still %+v", d.RegistrationConfig)
		}
		if err := remove(); err != nil {
			t.Error(err)
		}
		if l := ok2(api.ListCertificatesByCA(ctx, &iot.ListCertificatesByCAInput{CaCertificateId: &id}))(t); len(l.Certificates) != 1 {
			t.Errorf("certificates of the deleted CA: %+v, want the one that stays", l.Certificates)
		}
	})

	t.Run("pages and order", func(t *testing.T) {
		var byAge [2][]string
		var cas [2][]string
		for i, ascending := range []bool{true, false} {
			for _, c := range pages(t, iot.NewListCertificatesPaginator(api, &iot.ListCertificatesInput{PageSize: aws.Int32(1), AscendingOrder: ascending}), func(o *iot.ListCertificatesOutput) []types.Certificate { return o.Certificates }) {
				byAge[i] = append(byAge[i], *c.CertificateId)
			}
			for _, c := range pages(t, iot.NewListCACertificatesPaginator(api, &iot.ListCACertificatesInput{PageSize: aws.Int32(1), AscendingOrder: ascending}), func(o *iot.ListCACertificatesOutput) []types.CACertificate { return o.Certificates }) {
				cas[i] = append(cas[i], *c.CertificateId)
			}
		}
		for _, lists := range [][2][]string{byAge, cas} {
			slices.Reverse(lists[1])
			if len(lists[0]) < 2 || !slices.Equal(lists[0], lists[1]) {
				t.Errorf("ascending %v, descending reversed %v", lists[0], lists[1])
			}
		}
		first := ok2(api.ListCertificates(ctx, &iot.ListCertificatesInput{PageSize: aws.Int32(1)}))(t)
		wantAWSError(t, fail(api.ListCertificates(ctx, &iot.ListCertificatesInput{PageSize: aws.Int32(1), Marker: first.NextMarker, AscendingOrder: true})), "InvalidRequestException", 400)
		wantAWSError(t, fail(api.ListCACertificates(ctx, &iot.ListCACertificatesInput{Marker: first.NextMarker})), "InvalidRequestException", 400)
	})
}

// connectAnything is a policy document.
const connectAnything = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Connect","Resource":"*"}]}`
