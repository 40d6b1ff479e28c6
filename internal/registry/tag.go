package registry

import (
	"context"
	"fmt"
	"strings"

	"github.com/gatehouse-iot/gatehouse/internal/store"
	"github.com/gatehouse-iot/gatehouse/internal/store/registrydb"
)

// maxTags is how many tags a resource may have. Source: AWS IoT tag restrictions.
const maxTags = 50

// A Tag is a label of a resource.
type Tag struct {
	Key   string // 1 to 128 characters, unique in its resource
	Value string // up to 256 characters
}

// TagResource sets tags of the resource that arn names; tags with other keys
// stay. Refusals: InvalidRequest for an ARN that can't have tags,
// ResourceNotFound, LimitExceeded beyond 50 tags.
func (r *Registry) TagResource(ctx context.Context, arn string, tags []Tag) error {
	resourceType, name, err := r.taggable(arn)
	if err != nil {
		return err
	}
	return r.write(ctx, func(t *tx) error {
		if err := t.checkTaggable(ctx, resourceType, name, arn); err != nil {
			return err
		}
		return t.putTags(ctx, resourceType, name, tags, LimitExceeded)
	})
}

// UntagResource removes the tags with those keys; a key that is not there is
// ignored. Refusals: InvalidRequest, ResourceNotFound.
func (r *Registry) UntagResource(ctx context.Context, arn string, keys []string) error {
	resourceType, name, err := r.taggable(arn)
	if err != nil {
		return err
	}
	return r.write(ctx, func(t *tx) error {
		if err := t.checkTaggable(ctx, resourceType, name, arn); err != nil {
			return err
		}
		for _, key := range keys {
			if err := t.DeleteTag(ctx, registrydb.DeleteTagParams{ResourceType: resourceType, ResourceName: name, TagKey: key}); err != nil {
				return err
			}
		}
		return nil
	})
}

// ListTags returns the tags of a resource by key. Refusals: InvalidRequest,
// ResourceNotFound.
func (r *Registry) ListTags(ctx context.Context, arn string, p Page) (Listing[Tag], error) {
	resourceType, name, err := r.taggable(arn)
	if err != nil {
		return Listing[Tag]{}, err
	}
	limit := p.limit(defaultThingPageSize)
	var rows []registrydb.ListTagsRow
	err = r.view(ctx, func(q *registrydb.Queries) error {
		if err := checkTaggable(ctx, q, resourceType, name, arn); err != nil {
			return err
		}
		rows, err = q.ListTags(ctx, registrydb.ListTagsParams{
			ResourceType: resourceType, ResourceName: name, Limit: int32(limit + 1), After: p.After,
		})
		return err
	})
	if err != nil {
		return Listing[Tag]{}, err
	}
	return cut(rows, limit,
		func(row registrydb.ListTagsRow) string { return row.TagKey },
		func(row registrydb.ListTagsRow) Tag { return Tag{row.TagKey, row.TagValue} }), nil
}

// tagNew stores the tags that a resource is created with. Creates do not know
// LimitExceeded: too many tags are an InvalidRequest.
func (r *Registry) tagNew(ctx context.Context, t *tx, resourceType, name string, tags []Tag) error {
	return t.putTags(ctx, resourceType, name, tags, InvalidRequest)
}

// untagGone removes all tags of a resource that is deleted: another one may
// take its name.
func (r *Registry) untagGone(ctx context.Context, t *tx, resourceType, name string) error {
	return t.DeleteTags(ctx, registrydb.DeleteTagsParams{ResourceType: resourceType, ResourceName: name})
}

func (t *tx) putTags(ctx context.Context, resourceType, name string, tags []Tag, tooMany Kind) error {
	seen := make(map[string]bool, len(tags))
	for _, tag := range tags {
		switch {
		case seen[tag.Key]:
			return Errorf(InvalidRequest, "The tag key %q is given twice.", tag.Key)
		case strings.HasPrefix(strings.ToLower(tag.Key), "aws:"):
			return Errorf(InvalidRequest, "The tag key %q is not valid: keys that start with aws: are reserved.", tag.Key)
		}
		seen[tag.Key] = true
		if err := t.PutTag(ctx, registrydb.PutTagParams{
			ResourceType: resourceType, ResourceName: name, TagKey: tag.Key, TagValue: tag.Value,
		}); err != nil {
			return err
		}
	}
	n, err := t.CountTags(ctx, registrydb.CountTagsParams{ResourceType: resourceType, ResourceName: name})
	if err != nil {
		return err
	}
	if n > maxTags {
		return Errorf(tooMany, "The %s %s would have %d tags; the maximum is %d.", resourceType, name, n, maxTags)
	}
	return nil
}

// checkTaggable is the function of the same name inside a write.
func (t *tx) checkTaggable(ctx context.Context, resourceType, name, arn string) error {
	return checkTaggable(ctx, t.Queries, resourceType, name, arn)
}

// taggable parses the ARN of a resource that can have tags. Things and
// certificates can't. Source: AWS IoT developer guide, "Tagging your AWS IoT resources".
func (r *Registry) taggable(arn string) (resourceType, name string, err error) {
	resourceType, name, err = r.localARN(arn)
	if err != nil {
		return "", "", err
	}
	switch resourceType {
	case "domainconfiguration":
		name, _, _ = strings.Cut(name, "/") // the ARN ends with an ID
		return resourceType, name, nil
	case "thinggroup", "thingtype", "policy", "cacert", "authorizer":
		return resourceType, name, nil
	}
	return "", "", Errorf(InvalidRequest, "The resource %s can't have tags: those of the type %q have none.", arn, resourceType)
}

// checkTaggable refuses a resource that does not exist.
func checkTaggable(ctx context.Context, q *registrydb.Queries, resourceType, name, arn string) (err error) {
	switch resourceType {
	case "thinggroup":
		_, err = q.GetThingGroup(ctx, name)
	case "thingtype":
		_, err = q.GetThingType(ctx, name)
	case "policy":
		_, err = q.GetPolicy(ctx, name)
	case "cacert":
		_, err = q.GetCACertificate(ctx, name)
	case "authorizer":
		_, err = q.GetAuthorizer(ctx, name)
	case "domainconfiguration":
		_, err = q.GetDomainConfiguration(ctx, name)
	default:
		err = fmt.Errorf("registry: no query for a resource of the type %q", resourceType)
	}
	if store.IsNotFound(err) {
		return Errorf(ResourceNotFound, "The resource %s does not exist", arn).About(name, arn)
	}
	return err
}
