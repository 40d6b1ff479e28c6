package inspect

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	logs "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// control is what the inspector reads of the AWS IoT control plane: whatever
// changes the account has no place here.
type control interface {
	DescribeAuthorizer(context.Context, *iot.DescribeAuthorizerInput, ...func(*iot.Options)) (*iot.DescribeAuthorizerOutput, error)
	DescribeCACertificate(context.Context, *iot.DescribeCACertificateInput, ...func(*iot.Options)) (*iot.DescribeCACertificateOutput, error)
	DescribeCertificate(context.Context, *iot.DescribeCertificateInput, ...func(*iot.Options)) (*iot.DescribeCertificateOutput, error)
	DescribeDefaultAuthorizer(context.Context, *iot.DescribeDefaultAuthorizerInput, ...func(*iot.Options)) (*iot.DescribeDefaultAuthorizerOutput, error)
	DescribeDomainConfiguration(context.Context, *iot.DescribeDomainConfigurationInput, ...func(*iot.Options)) (*iot.DescribeDomainConfigurationOutput, error)
	DescribeEndpoint(context.Context, *iot.DescribeEndpointInput, ...func(*iot.Options)) (*iot.DescribeEndpointOutput, error)
	DescribeThing(context.Context, *iot.DescribeThingInput, ...func(*iot.Options)) (*iot.DescribeThingOutput, error)
	GetPolicy(context.Context, *iot.GetPolicyInput, ...func(*iot.Options)) (*iot.GetPolicyOutput, error)
	GetPolicyVersion(context.Context, *iot.GetPolicyVersionInput, ...func(*iot.Options)) (*iot.GetPolicyVersionOutput, error)
	GetThingConnectivityData(context.Context, *iot.GetThingConnectivityDataInput, ...func(*iot.Options)) (*iot.GetThingConnectivityDataOutput, error)
	GetV2LoggingOptions(context.Context, *iot.GetV2LoggingOptionsInput, ...func(*iot.Options)) (*iot.GetV2LoggingOptionsOutput, error)
	ListAttachedPolicies(context.Context, *iot.ListAttachedPoliciesInput, ...func(*iot.Options)) (*iot.ListAttachedPoliciesOutput, error)
	ListCACertificates(context.Context, *iot.ListCACertificatesInput, ...func(*iot.Options)) (*iot.ListCACertificatesOutput, error)
	ListDomainConfigurations(context.Context, *iot.ListDomainConfigurationsInput, ...func(*iot.Options)) (*iot.ListDomainConfigurationsOutput, error)
	ListPolicyVersions(context.Context, *iot.ListPolicyVersionsInput, ...func(*iot.Options)) (*iot.ListPolicyVersionsOutput, error)
	ListPrincipalThingsV2(context.Context, *iot.ListPrincipalThingsV2Input, ...func(*iot.Options)) (*iot.ListPrincipalThingsV2Output, error)
	ListThingGroupsForThing(context.Context, *iot.ListThingGroupsForThingInput, ...func(*iot.Options)) (*iot.ListThingGroupsForThingOutput, error)
	TestAuthorization(context.Context, *iot.TestAuthorizationInput, ...func(*iot.Options)) (*iot.TestAuthorizationOutput, error)
	TestInvokeAuthorizer(context.Context, *iot.TestInvokeAuthorizerInput, ...func(*iot.Options)) (*iot.TestInvokeAuthorizerOutput, error)
}

// logReader asks Logs Insights.
type logReader interface {
	StartQuery(context.Context, *logs.StartQueryInput, ...func(*logs.Options)) (*logs.StartQueryOutput, error)
	GetQueryResults(context.Context, *logs.GetQueryResultsInput, ...func(*logs.Options)) (*logs.GetQueryResultsOutput, error)
}

// functions reads what stands behind an authorizer.
type functions interface {
	GetFunctionConfiguration(context.Context, *lambda.GetFunctionConfigurationInput, ...func(*lambda.Options)) (*lambda.GetFunctionConfigurationOutput, error)
	GetPolicy(context.Context, *lambda.GetPolicyInput, ...func(*lambda.Options)) (*lambda.GetPolicyOutput, error)
}

// meter reads metrics.
type meter interface {
	GetMetricData(context.Context, *cloudwatch.GetMetricDataInput, ...func(*cloudwatch.Options)) (*cloudwatch.GetMetricDataOutput, error)
}

// whoAmI tells whose credentials these are.
type whoAmI interface {
	GetCallerIdentity(context.Context, *sts.GetCallerIdentityInput, ...func(*sts.Options)) (*sts.GetCallerIdentityOutput, error)
}

// An Inspector looks at one account in one Region.
type Inspector struct {
	region    string
	iot       control
	elsewhere map[string]control // by Region
	logs      logReader
	lambda    functions
	metrics   meter
	sts       whoAmI
	gatehouse Getter
}

// A Getter reads a path of Gatehouse's own API: /gatehouse/v1/...
type Getter func(ctx context.Context, path string) ([]byte, error)

// New makes an Inspector that asks with the credentials, the Region and the
// endpoint of cfg. It looks for the device's certificate in regions too.
// gatehouse is nil where the account can't be a Gatehouse.
func New(cfg aws.Config, regions []string, gatehouse Getter) *Inspector {
	cfg.RetryMaxAttempts = 2 // a person is waiting
	i := &Inspector{
		region: cfg.Region, iot: iot.NewFromConfig(cfg), elsewhere: map[string]control{}, logs: logs.NewFromConfig(cfg), lambda: lambda.NewFromConfig(cfg),
		metrics: cloudwatch.NewFromConfig(cfg), sts: sts.NewFromConfig(cfg), gatehouse: gatehouse,
	}
	for _, r := range regions {
		if r != cfg.Region {
			i.elsewhere[r] = iot.NewFromConfig(cfg, func(o *iot.Options) { o.Region = r })
		}
	}
	return i
}
