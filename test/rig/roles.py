"""Prints the roles of an account and their inline policies as JSON. The argument is the endpoint of IAM."""
import ast
import json
import sys
import urllib.parse

import boto3

iam = boto3.client("iam", endpoint_url=sys.argv[1], region_name="eu-west-1",
                   aws_access_key_id="testing", aws_secret_access_key="testing")


def decoded(policy):
    # moto keeps a document of a template as Python prints it, which boto3 cannot decode.
    return ast.literal_eval(urllib.parse.unquote(policy)) if isinstance(policy, str) else policy


roles = []
for found in iam.list_roles()["Roles"]:
    name = found["RoleName"]
    role = iam.get_role(RoleName=name)["Role"]
    policies = [iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
                for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]]
    roles.append({
        "name": name,
        "path": role["Path"],
        "boundary": role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
        "tags": {tag["Key"]: tag["Value"] for tag in iam.list_role_tags(RoleName=name)["Tags"]},
        "trust": decoded(role["AssumeRolePolicyDocument"])["Statement"],
        "statements": [statement for policy in policies for statement in decoded(policy)["Statement"]],
    })
print(json.dumps(roles))
