package inspect

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/diagnose/probe"
)

// caller asks whose credentials these are. It returns the result that ends the
// inspection when they are nobody's.
func (l *look) caller(ctx context.Context) *probe.Result {
	out, err := ask(ctx, l.sts.GetCallerIdentity, &sts.GetCallerIdentityInput{})
	switch {
	case err == nil:
		l.report.Account, l.report.Caller = aws.ToString(out.Account), aws.ToString(out.Arn)
	case oneOf(unknowns, code(err)), code(err) == "" && !unreached(err):
		// Without credentials the SDK fails before it asks.
		r := result(check.AccountNoCredentials, probe.Unknown, attempt.F("error", brief(err)))
		return &r
	default:
		// STS may be out of reach where AWS IoT is not.
	}
	return nil
}

// maxDomains bounds how many domain configurations are described; AWS allows 10.
const maxDomains = 25

// endpoint compares the device's host name with those of the account.
func (l *look) endpoint(ctx context.Context) []probe.Result {
	if l.device.Endpoint == "" {
		return nil
	}
	out, err := ask(ctx, l.iot.DescribeEndpoint, &iot.DescribeEndpointInput{EndpointType: aws.String("iot:Data-ATS")})
	if err != nil {
		return []probe.Result{l.unseen("iot:DescribeEndpoint", err)}
	}
	l.report.Endpoint = aws.ToString(out.EndpointAddress)
	about := []attempt.Field{attempt.F("offered", l.device.Endpoint), attempt.F("required", l.report.Endpoint), attempt.F("account", l.report.Account), attempt.F("region", l.region)}
	if strings.EqualFold(l.report.Endpoint, l.device.Endpoint) {
		return []probe.Result{result(check.AccountEndpointDiffers, probe.Pass, about...)}
	}
	if legacy, err := ask(ctx, l.iot.DescribeEndpoint, &iot.DescribeEndpointInput{EndpointType: aws.String("iot:Data")}); err == nil && strings.EqualFold(aws.ToString(legacy.EndpointAddress), l.device.Endpoint) {
		return []probe.Result{result(check.AccountEndpointDiffers, probe.Pass, about...)}
	}
	if domain, unseen := l.domain(ctx); unseen != nil {
		return []probe.Result{*unseen}
	} else if domain != nil {
		about = append(about, attempt.F("domain_configuration", aws.ToString(domain.DomainConfigurationName)))
		results := []probe.Result{result(check.AccountEndpointDiffers, probe.Pass, about...)}
		if domain.DomainConfigurationStatus == types.DomainConfigurationStatusDisabled {
			results = append(results, result(check.DomainDisabled, probe.Fail, attempt.F("domain_configuration", aws.ToString(domain.DomainConfigurationName)), attempt.F("sni", l.device.Endpoint)))
		}
		return results
	}
	outcome := probe.Warn // an alias or an address may lead to the endpoint all the same
	if strings.Contains(l.device.Endpoint, ".iot.") {
		outcome = probe.Fail
	}
	return []probe.Result{result(check.AccountEndpointDiffers, outcome, about...)}
}

// domain finds the domain configuration of the device's host name; nil if there
// is none. unseen says why that is not known.
func (l *look) domain(ctx context.Context) (found *iot.DescribeDomainConfigurationOutput, unseen *probe.Result) {
	list, err := ask(ctx, l.iot.ListDomainConfigurations, &iot.ListDomainConfigurationsInput{PageSize: aws.Int32(maxDomains)})
	if err != nil {
		r := l.unseen("iot:ListDomainConfigurations", err)
		return nil, &r
	}
	for _, d := range list.DomainConfigurations {
		about, err := ask(ctx, l.iot.DescribeDomainConfiguration, &iot.DescribeDomainConfigurationInput{DomainConfigurationName: d.DomainConfigurationName})
		if absent(err) {
			continue // deleted a moment ago
		} else if err != nil {
			r := l.unseen("iot:DescribeDomainConfiguration", err)
			return nil, &r
		}
		if strings.EqualFold(aws.ToString(about.DomainName), l.device.Endpoint) {
			return about, nil
		}
	}
	return nil, nil
}
