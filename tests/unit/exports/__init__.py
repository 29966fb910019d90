"""Jobs as templates of CloudFormation and Terraform."""
